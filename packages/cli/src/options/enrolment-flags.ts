import { UserError } from "@weft/base/errors";
import type { ServiceAccountOptions } from "@weft/control/ca/kubernetes/token-reviewer";
import type { Command } from "commander";
import { collect, parseDurationMs } from "./parse-values.ts";

/** Who gets a certificate, beside who has a join token or a certificate that is valid. */
export interface EnrolmentFlags {
  readonly serviceAccountTokens?: string;
  readonly serviceAccountAudience?: string;
  readonly gatewayServiceAccount?: readonly string[];
  readonly renewExpired?: number;
}

export interface Enrolment {
  readonly serviceAccounts?: ServiceAccountOptions;
  readonly renewExpiredMs?: number;
}

const defaultAudience = "weft";

export function addEnrolmentOptions(command: Command): Command {
  return command
    .option(
      "--service-account-tokens <cluster>",
      "pods join by their service account's token, which a Kubernetes cluster reviews: a kubeconfig, or 'in-cluster'",
    )
    .option(
      "--service-account-audience <name>",
      `audience that those tokens must be made for (default: "${defaultAudience}")`,
    )
    .option(
      "--gateway-service-account <namespace/name>",
      "service account whose pods may be gateways; repeatable",
      collect(String),
    )
    .option(
      "--renew-expired <time>",
      "how long after its end a certificate may still be renewed by its key, as by a host that slept; 0: not at all (default: 30d)",
      (text) => (text === "0" ? 0 : parseDurationMs(text)),
    );
}

/** @throws UserError for flags that need another */
export function enrolmentOf(flags: EnrolmentFlags): Enrolment {
  const { serviceAccountTokens: cluster, serviceAccountAudience, gatewayServiceAccount } = flags;
  const { renewExpired: renewExpiredMs } = flags;
  if (cluster !== undefined) {
    const audience = serviceAccountAudience ?? defaultAudience;
    return { serviceAccounts: { cluster, audience, gateways: gatewayServiceAccount ?? [] }, renewExpiredMs };
  }
  const lonely =
    (serviceAccountAudience !== undefined && "--service-account-audience") ||
    (gatewayServiceAccount !== undefined && "--gateway-service-account");
  if (!lonely) return { renewExpiredMs };
  throw new UserError(`${lonely} needs --service-account-tokens`, {
    hint: "say which cluster reviews the tokens",
    exitCode: 2,
  });
}
