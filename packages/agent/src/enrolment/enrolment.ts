import { parseJoinToken } from "@weft/identity/join-token";
import { bundlePins } from "@weft/identity/trust-bundle";
import { type EnrolmentTarget, enrolByToken, renewBySvid } from "./certificate-authority.ts";
import type { Svid } from "./svid.ts";

/** How a workload shows who it is: at first, and each time it needs the next certificate. */
export interface Enrolment {
  /** Whether there is something to show; otherwise only a kept identity helps. May throw where it cannot be read. */
  canEnrol(): boolean;
  /** The workload has moved to another mesh than that of the identity it kept. */
  isElsewhere(svid: Svid): boolean;
  /** @throws UserError when trying again can't help; GrpcError UNAVAILABLE when it can */
  enrol(target: EnrolmentTarget): Promise<Svid>;
  /** @throws GrpcError, SvidError */
  renew(target: EnrolmentTarget, svid: Svid): Promise<Svid>;
}

/** At first by a one-time join token, then by the certificate in force. */
export function joinTokenEnrolment(readToken: () => string | undefined): Enrolment {
  return {
    canEnrol: () => readToken() !== undefined,
    isElsewhere(svid) {
      // One that cannot be read decides nothing.
      try {
        const token = readToken();
        return token !== undefined && !bundlePins(svid.bundle).includes(parseJoinToken(token).pin);
      } catch {
        return false;
      }
    },
    enrol: (target) => enrolByToken(target, readToken() ?? ""),
    renew: renewBySvid,
  };
}
