import type { CaStatus, ProxyResource } from "../api/protocol.ts";
import type { AuditEntry } from "../store/audit-entry.ts";

/**
 * The certificates that stand behind a workload's secrets, under Istio's names:
 * those issued to its identity that have not expired, newest first, and the root
 * it trusts. All instances of an identity share it: `address` tells who asked.
 * There is no key here: a workload's never leaves its machine.
 */
export function proxySecrets(
  issued: readonly AuditEntry[],
  root: Pick<CaStatus, "rootPem" | "rootFingerprint" | "rootSubject" | "rootNotBeforeMs" | "rootNotAfterMs">,
): ProxyResource[] {
  const chains = issued.map(({ subject, serial = "", atMs, expiresAtMs, address }) => ({
    name: "default",
    version: serial,
    value: {
      type: "Cert Chain",
      subject,
      // As openssl prints it: without the sign of DER's integer.
      serial: serial.replace(/^00(?=[89a-f])/, ""),
      issued_at: timeOf(atMs),
      not_after: timeOf(expiresAtMs),
      address,
    },
  }));
  const trusted = {
    name: "ROOTCA",
    version: root.rootFingerprint,
    value: {
      type: "CA",
      subject: root.rootSubject,
      fingerprint: root.rootFingerprint,
      not_before: timeOf(root.rootNotBeforeMs),
      not_after: timeOf(root.rootNotAfterMs),
      certificate: root.rootPem,
    },
  };
  return [...chains, trusted];
}

function timeOf(ms: number | undefined): string {
  return ms === undefined ? "" : new Date(ms).toISOString();
}
