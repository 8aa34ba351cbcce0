import type { Clock } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import { parseCertificates, spkiPin } from "@weft/identity/certificate";
import { formatPrivateKey, generateKeyPair, parsePrivateKey, spkiOf } from "@weft/identity/key-pair";
import { backdateMs, type Issuer, issueRoot } from "@weft/identity/profiles";
import { type TrustDomain, trustDomainId } from "@weft/identity/spiffe-id";
import type { AuditLog } from "../store/audit-log.ts";
import type { RootStore, StoredRoot } from "../store/root-store.ts";

const rootLifeMs = 10 * 365 * 86_400_000;

export interface RootOptions {
  readonly roots: RootStore;
  readonly audit: AuditLog;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
}

/**
 * The roots of the trust domain, oldest first; the last one issues. The first
 * start makes one: ECDSA P-256, because every handshake of the mesh checks a
 * signature of its key, and valid for ten years.
 *
 * @throws UserError when what is stored cannot be used.
 */
export async function openRoots(options: RootOptions): Promise<readonly [Issuer, ...Issuer[]]> {
  const { roots, audit, trustDomain, clock } = options;
  const stored = roots.list().map((root) => readRoot(root, clock.now()));
  if (stored.length > 0) return stored as [Issuer, ...Issuer[]];
  const keys = await generateKeyPair();
  const nowMs = clock.now();
  const validity = { notBeforeMs: nowMs - backdateMs, notAfterMs: nowMs + rootLifeMs };
  const certificate = issueRoot(keys, trustDomain, validity);
  roots.add({
    certificatePem: certificate.pem,
    privateKeyPem: formatPrivateKey(keys.privateKey),
    createdAtMs: nowMs,
  });
  audit.append({
    atMs: nowMs,
    event: "root created",
    subject: trustDomainId(trustDomain),
    authorizedBy: "control plane",
    address: "",
    serial: certificate.facts.serial,
    keyHash: Buffer.from(spkiPin(certificate), "base64url").toString("hex"),
    expiresAtMs: certificate.facts.notAfterMs,
  });
  return [{ certificate, privateKey: keys.privateKey }];
}

function readRoot(root: StoredRoot, nowMs: number): Issuer {
  const hint = "restore the state directory from a backup; with a new one, every workload joins anew";
  try {
    const [certificate] = parseCertificates(root.certificatePem, 1);
    const { privateKey, publicKey } = parsePrivateKey(root.privateKeyPem);
    if (!spkiOf(publicKey).equals(certificate!.facts.spki))
      throw new Error("key and certificate do not match");
    if (nowMs > certificate!.facts.notAfterMs) {
      throw new Error(`it expired at ${new Date(certificate!.facts.notAfterMs).toISOString()}`);
    }
    return { certificate: certificate!, privateKey };
  } catch (error) {
    throw new UserError(`the stored root certificate cannot be used: ${messageOf(error)}`, {
      hint,
      cause: error,
    });
  }
}
