import type { Clock } from "@weft/base/clock";
import { type Certificate, spkiPin } from "@weft/identity/certificate";
import { formatPrivateKey, generateKeyPair } from "@weft/identity/key-pair";
import { backdateMs, crossSign, type Issuer, issueRoot } from "@weft/identity/profiles";
import { type TrustDomain, trustDomainId } from "@weft/identity/spiffe-id";
import type { AuditEntry } from "../store/audit-entry.ts";
import type { AuditActor } from "../store/audit-log.ts";
import type { StoredRoot } from "../store/root-store.ts";

const rootLifeMs = 10 * 365 * 86_400_000;

/**
 * A new root as it is stored: ECDSA P-256, because every handshake of the mesh
 * checks a signature of its key; valid for ten years.
 *
 * @param before whom it replaces, where that one can still be believed
 */
export async function makeRoot(
  trustDomain: TrustDomain,
  clock: Clock,
  before?: Issuer,
): Promise<Omit<StoredRoot, "state"> & { readonly certificate: Certificate }> {
  const keys = await generateKeyPair();
  const nowMs = clock.now();
  const validity = { notBeforeMs: nowMs - backdateMs, notAfterMs: nowMs + rootLifeMs };
  const certificate = issueRoot(keys, trustDomain, validity);
  return {
    certificate,
    certificatePem: certificate.pem,
    privateKeyPem: formatPrivateKey(keys.privateKey),
    createdAtMs: nowMs,
    crossPem: before ? crossSign(before, certificate).pem : "",
  };
}

/** What the audit log says of a root. */
export function rootEntry(
  event: AuditEntry["event"],
  root: Certificate,
  trustDomain: TrustDomain,
  atMs: number,
  by: AuditActor,
): AuditEntry {
  return {
    atMs,
    event,
    subject: trustDomainId(trustDomain),
    ...by,
    serial: root.facts.serial,
    keyHash: Buffer.from(spkiPin(root), "base64url").toString("hex"),
    expiresAtMs: root.facts.notAfterMs,
  };
}
