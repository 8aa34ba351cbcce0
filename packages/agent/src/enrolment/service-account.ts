import { readFileSync } from "node:fs";
import { messageOf, UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import { parseTrustBundle, type TrustBundle } from "@weft/identity/trust-bundle";
import {
  controlPlaneTarget,
  type EnrolmentFlag,
  type EnrolmentTarget,
  explainRefusal,
  requestCertificate,
} from "./certificate-authority.ts";
import type { Enrolment } from "./enrolment.ts";
import type { Svid } from "./svid.ts";

/** What a pod is given: both files are written anew while it runs. */
export interface ServiceAccountFiles {
  /** The projected token: `serviceAccountToken` of a projected volume, for the mesh's audience. */
  readonly tokenFile: string;
  /** PEM roots of the mesh, as a ConfigMap has them. */
  readonly rootFile: string;
}

const flag: EnrolmentFlag = {
  name: "--service-account-token",
  ifUnauthenticated: "the projected token's audience must be the control plane's --service-account-audience",
  ifDenied: "give the --namespace and --service-account that the pod has",
};

/**
 * By the token that Kubernetes projects into the pod, for each certificate: it
 * ends with the pod, and so does the workload's identity. The roots of the file
 * recognise the control plane as long as it has told none, and once a certificate
 * has expired, after which what it told may be old.
 */
export function serviceAccountEnrolment(files: ServiceAccountFiles): Enrolment {
  return {
    canEnrol: () => true,
    isElsewhere: () => false,
    async enrol(target) {
      const bundle = readRoots(files, target);
      try {
        return await ask(target, bundle, readToken(files));
      } catch (thrown) {
        throw explainRefusal(thrown, target, flag);
      }
    },
    renew(target, svid) {
      const isOver = target.clock.now() >= svid.notAfterMs;
      return ask(target, isOver ? readRoots(files, target) : svid.bundle, readToken(files));
    },
  };
}

function ask(target: EnrolmentTarget, bundle: TrustBundle, token: string): Promise<Svid> {
  const keyHolder = controlPlaneTarget(target, () => ({ bundle }));
  return requestCertificate(target, keyHolder, [["authorization", `Bearer ${token}`]]);
}

/** The message never repeats what the file holds. */
function readToken({ tokenFile }: ServiceAccountFiles): string {
  const text = read("--service-account-token", tokenFile).trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return text;
  throw new UserError(`--service-account-token ${tokenFile}: this is no service-account token`, {
    hint: "name the file of a projected volume's serviceAccountToken",
  });
}

function readRoots({ rootFile }: ServiceAccountFiles, { trustDomain }: EnrolmentTarget): TrustBundle {
  const text = read("--root-cert", rootFile);
  try {
    return parseTrustBundle(trustDomain, text);
  } catch (cause) {
    throw new UserError(`--root-cert ${rootFile}: ${messageOf(cause)}`, {
      hint: "'weft ca status -o pem' on the control plane's machine prints them",
      cause,
    });
  }
}

function read(flag: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new UserError(`${flag} ${file}: ${reasonOf(cause)}`, { hint: "mount it into the pod", cause });
  }
}
