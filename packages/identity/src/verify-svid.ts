import { messageOf } from "@weft/base/errors";
import { type Certificate, maxChainLength, parseCertificate, parseCertificates } from "./certificate.ts";
import { isIssuedBy } from "./complete-chain.ts";
import { keyWeakness } from "./key-pair.ts";
import { keyUsages, oids, signatureHashes } from "./oids.ts";
import { parseSpiffeId, pathOf, type SpiffeId, trustDomainId, trustDomainOf } from "./spiffe-id.ts";
import type { TrustBundle } from "./trust-bundle.ts";

/** Why a certificate chain is no identity. */
export type SvidRefusal =
  | "malformed"
  | "unknown-root"
  | "bad-issuer"
  | "weak-cryptography"
  | "not-yet-valid"
  | "expired"
  | "ca-flagged"
  | "bad-key-usage"
  | "unknown-critical-extension"
  | "no-uri-san"
  | "several-uri-sans"
  | "bad-spiffe-id"
  | "wrong-trust-domain"
  | "revoked";

export class SvidError extends Error {
  override readonly name = "SvidError";
  readonly reason: SvidRefusal;

  constructor(reason: SvidRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** PEM, leaf first; or the DER of each certificate; or what was parsed before. */
export type SvidChain = string | readonly Buffer[] | readonly Certificate[];

/**
 * Returns who presented a chain, or refuses with the reason. Everything the
 * X.509-SVID standard asks of a leaf and its signers is checked here; whatever
 * TLS checked before is not relied on.
 *
 * @throws SvidError
 */
export function verifySvid(chain: SvidChain, bundle: TrustBundle, nowMs: number): SpiffeId {
  return verifySvidPath(chain, bundle, nowMs).id;
}

/** As `verifySvid`, with the certificates that proved it: leaf first, the root of the bundle last. @throws SvidError */
export function verifySvidPath(
  chain: SvidChain,
  bundle: TrustBundle,
  nowMs: number,
): { readonly id: SpiffeId; readonly path: readonly Certificate[] } {
  const certificates = parseChain(chain);
  const path = buildPath(certificates, bundle);
  for (const certificate of path) checkValidity(certificate, nowMs);
  for (const signer of path.slice(1)) checkSigner(signer, path.indexOf(signer) - 1, bundle);
  return { id: checkLeaf(path[0]!, bundle), path };
}

/** @throws SvidError */
export function parseChain(chain: SvidChain): readonly Certificate[] {
  try {
    if (typeof chain === "string") return parseCertificates(chain);
    if (chain.length === 0) throw new Error("there is no certificate");
    if (chain.length > maxChainLength) throw new Error(`more than ${maxChainLength} certificates`);
    return chain.map((one) => (Buffer.isBuffer(one) ? parseCertificate(one) : one));
  } catch (error) {
    throw new SvidError("malformed", `the certificate chain is malformed: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Leaf first, a root of the bundle last, each signed by the next. Certificates after that root are not looked at. */
function buildPath(chain: readonly Certificate[], bundle: TrustBundle): Certificate[] {
  const path: Certificate[] = [];
  for (const certificate of chain) {
    const previous = path.at(-1);
    if (previous && !isIssuedBy(previous, certificate)) {
      throw new SvidError(
        "bad-issuer",
        `certificate ${path.length} of the chain is not signed by the one after it`,
      );
    }
    checkStrength(certificate);
    path.push(certificate);
    if (bundle.roots.some((root) => root.pem === certificate.pem)) break;
    const root = bundle.roots.find((candidate) => isIssuedBy(certificate, candidate));
    if (root) {
      path.push(root);
      break;
    }
  }
  const last = path.at(-1)!;
  // A root presented as its own leaf is refused as a CA later.
  if (bundle.roots.some((root) => root.pem === last.pem)) return path;
  throw new SvidError(
    "unknown-root",
    `the chain ends in a root that trust domain ${bundle.trustDomain} does not trust`,
  );
}

function checkStrength(certificate: Certificate): void {
  const weakness = keyWeakness(certificate.publicKey);
  if (weakness) throw new SvidError("weak-cryptography", `the chain has ${weakness}`);
  if (!signatureHashes.has(certificate.facts.signatureOid)) {
    const message = `a certificate is signed with ${certificate.facts.signatureOid}, which is not accepted`;
    throw new SvidError("weak-cryptography", message);
  }
}

function checkValidity({ facts }: Certificate, nowMs: number): void {
  if (nowMs < facts.notBeforeMs) {
    const message = `a certificate of the chain is valid only from ${iso(facts.notBeforeMs)}; check both clocks`;
    throw new SvidError("not-yet-valid", message);
  }
  if (nowMs > facts.notAfterMs) {
    throw new SvidError("expired", `a certificate of the chain expired at ${iso(facts.notAfterMs)}`);
  }
}

function checkSigner({ facts }: Certificate, signersBelow: number, bundle: TrustBundle): void {
  const foreign = facts.unknownCritical[0];
  if (foreign) throw unknownCritical(foreign);
  const isUsageGood = facts.keyUsage === undefined || (facts.keyUsage & keyUsages.keyCertSign) !== 0;
  if (!facts.isCa || !isUsageGood) {
    throw new SvidError("bad-issuer", "a certificate of the chain is signed by one that may not sign");
  }
  if (facts.pathLength !== undefined && signersBelow > facts.pathLength) {
    throw new SvidError("bad-issuer", "the chain is longer than one of its signers allows");
  }
  if (facts.uris.length > 1 || facts.uris.some((uri) => uri !== trustDomainId(bundle.trustDomain))) {
    throw new SvidError(
      "wrong-trust-domain",
      `a signer of the chain is not of trust domain ${bundle.trustDomain}`,
    );
  }
}

function checkLeaf({ facts }: Certificate, bundle: TrustBundle): SpiffeId {
  const foreign = facts.unknownCritical[0];
  if (foreign) throw unknownCritical(foreign);
  const usage = facts.keyUsage ?? 0;
  if (facts.isCa || (usage & (keyUsages.keyCertSign | keyUsages.crlSign)) !== 0) {
    throw new SvidError("ca-flagged", "the certificate is one of a certificate authority, not of a workload");
  }
  if ((usage & keyUsages.digitalSignature) === 0) {
    throw new SvidError("bad-key-usage", "the certificate is not for digital signatures");
  }
  const purposes = facts.extendedKeyUsages;
  if (purposes && ![oids.serverAuth, oids.clientAuth].every((purpose) => purposes.includes(purpose))) {
    throw new SvidError("bad-key-usage", "the certificate is not for both ends of TLS");
  }
  const [uri, second] = facts.uris;
  if (uri === undefined) throw new SvidError("no-uri-san", "the certificate names no SPIFFE ID");
  if (second !== undefined)
    throw new SvidError("several-uri-sans", "the certificate names more than one URI");
  const id = parseId(uri);
  if (trustDomainOf(id) !== bundle.trustDomain) {
    throw new SvidError("wrong-trust-domain", `${id} is not of trust domain ${bundle.trustDomain}`);
  }
  if (pathOf(id) === "") throw new SvidError("bad-spiffe-id", `${id} names a trust domain, not a workload`);
  return id;
}

function parseId(uri: string): SpiffeId {
  try {
    return parseSpiffeId(uri);
  } catch (error) {
    throw new SvidError("bad-spiffe-id", `the certificate names no SPIFFE ID: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function unknownCritical(oid: string): SvidError {
  return new SvidError(
    "unknown-critical-extension",
    `a certificate has the critical extension ${oid}, which is unknown`,
  );
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
