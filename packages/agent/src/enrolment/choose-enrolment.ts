import { readFileSync } from "node:fs";
import { UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import type { RunOptions } from "../run-options.ts";
import { type Enrolment, joinTokenEnrolment } from "./enrolment.ts";
import { serviceAccountEnrolment } from "./service-account.ts";

type Flags = Pick<RunOptions, "token" | "tokenFile" | "serviceAccountToken" | "rootCert">;

/** What the flags say a workload joins by. @throws UserError for those that do not go together */
export function chooseEnrolment({ token, tokenFile, serviceAccountToken, rootCert }: Flags): Enrolment {
  if (serviceAccountToken === undefined) {
    if (rootCert === undefined) return joinTokenEnrolment(() => readToken(token, tokenFile));
    throw new UserError("--root-cert is for --service-account-token", {
      hint: "leave it out: a join token says which root the control plane has",
      exitCode: 2,
    });
  }
  const other = (tokenFile !== undefined && "--token-file") || (token !== undefined && "--token");
  if (other) {
    throw new UserError(`${other} and --service-account-token are two ways to join`, {
      hint: "keep one of them",
      exitCode: 2,
    });
  }
  if (rootCert === undefined) {
    throw new UserError("--service-account-token needs --root-cert, to know whom the token may be shown", {
      hint: "write the mesh's roots into a ConfigMap with 'weft ca status -o pem', and mount it",
      exitCode: 2,
    });
  }
  return serviceAccountEnrolment({ tokenFile: serviceAccountToken, rootFile: rootCert });
}

function readToken(token: string | undefined, tokenFile: string | undefined): string | undefined {
  if (tokenFile === undefined) return token;
  try {
    return readFileSync(tokenFile, "utf8");
  } catch (thrown) {
    throw new UserError(`--token-file ${tokenFile}: ${reasonOf(thrown)}`, {
      hint: "make one with 'weft token create --service-account NAME > FILE'",
      cause: thrown,
    });
  }
}
