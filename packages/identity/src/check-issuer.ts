import type { KeyObject } from "node:crypto";
import { type Certificate, maxChainLength } from "./certificate.ts";
import { isIssuedBy, isSelfSigned } from "./complete-chain.ts";
import { type KeyPair, keyWeakness, spkiOf } from "./key-pair.ts";
import { keyUsages, oids, signatureHashes } from "./oids.ts";
import type { Issuer } from "./profiles.ts";
import { type TrustDomain, trustDomainId } from "./spiffe-id.ts";

/** What an operator gives a mesh to issue from. */
export interface IssuerParts {
  readonly certificate: Certificate;
  readonly keys: KeyPair;
  /** What leads from the certificate to a root; it may repeat the certificate and hold the root. */
  readonly chain: readonly Certificate[];
  /** At least one; the mesh trusts all of them. */
  readonly roots: readonly Certificate[];
}

/** A certificate that may issue SVIDs, with its key and its way to the root. */
export interface IssuerPath extends Issuer {
  /** From the issuer's own signer upwards, without the root; empty below a root. */
  readonly above: readonly Certificate[];
  /** The issuer itself where it signed itself. */
  readonly root: Certificate;
}

/** Which of the parts is wrong; the message says how. */
export class IssuerError extends Error {
  override readonly name = "IssuerError";
  readonly part: keyof IssuerParts;

  constructor(part: keyof IssuerParts, message: string) {
    super(message);
    this.part = part;
  }
}

/**
 * Finds the way from an issuer to one of the roots, and checks everything that
 * a peer would check of it later, so that no certificate is issued that nobody accepts.
 *
 * @throws IssuerError
 */
export function checkIssuer(parts: IssuerParts, trustDomain: TrustDomain, nowMs: number): IssuerPath {
  const { certificate, keys, roots } = parts;
  checkKey(certificate, keys.publicKey);
  for (const root of roots) checkRoot(root, trustDomain, nowMs);
  checkSigner("certificate", certificate, trustDomain, nowMs);
  const path = pathToRoot(parts);
  for (const [index, signer] of path.entries()) {
    if (index > 0) checkSigner("chain", signer, trustDomain, nowMs);
    const { pathLength } = signer.facts;
    if (pathLength !== undefined && pathLength < index) {
      throw new IssuerError(
        index === 0 ? "certificate" : "chain",
        `the path length of ${nameOf(signer)} is ${pathLength}: it allows no ${index} authorities below it`,
      );
    }
  }
  checkNoOthers(parts, path);
  const root = path.at(-1)!;
  return { certificate, privateKey: keys.privateKey, above: path.slice(1, -1), root };
}

/** @throws IssuerError */
export function checkRoot(root: Certificate, trustDomain: TrustDomain, nowMs: number): void {
  if (!isSelfSigned(root)) throw new IssuerError("roots", `${nameOf(root)} is not a self-signed authority`);
  checkSigner("roots", root, trustDomain, nowMs);
}

function checkKey(certificate: Certificate, publicKey: KeyObject): void {
  if (spkiOf(publicKey).equals(spkiOf(certificate.publicKey))) return;
  throw new IssuerError("keys", "the private key is not that of the certificate");
}

/** The issuer first, a root last. */
function pathToRoot({ certificate, chain, roots }: IssuerParts): readonly Certificate[] {
  const path = [certificate];
  for (;;) {
    const last = path.at(-1)!;
    const self = roots.find((root) => root.pem === last.pem);
    if (self) return path;
    const root = roots.find((candidate) => isIssuedBy(last, candidate));
    if (root) return [...path, root];
    const next = chain.find((candidate) => isIssuedBy(last, candidate) && !path.includes(candidate));
    if (!next || path.length >= maxChainLength - 2) break;
    path.push(next);
  }
  throw new IssuerError(
    "chain",
    `the chain does not reach a root: nothing in it signed ${nameOf(path.at(-1)!)}, issued by ${issuerOf(path.at(-1)!)}`,
  );
}

/** A certificate that leads nowhere is a mistake: perhaps it should have. */
function checkNoOthers({ chain, roots }: IssuerParts, path: readonly Certificate[]): void {
  const known = new Set([...path, ...roots].map(({ pem }) => pem));
  const other = chain.find(({ pem }) => !known.has(pem));
  if (other) throw new IssuerError("chain", `${nameOf(other)} is not on the way to the root`);
}

function checkSigner(
  part: keyof IssuerParts,
  signer: Certificate,
  trustDomain: TrustDomain,
  nowMs: number,
): void {
  const problem = signerProblem(signer, trustDomain, nowMs);
  if (problem) throw new IssuerError(part, `${nameOf(signer)} ${problem}`);
}

function signerProblem(
  { facts, publicKey }: Certificate,
  trustDomain: TrustDomain,
  nowMs: number,
): string | undefined {
  if (!facts.isCa) return "is not a certificate authority";
  if (facts.keyUsage !== undefined && (facts.keyUsage & keyUsages.keyCertSign) === 0) {
    return "may not sign certificates (its key usage lacks keyCertSign)";
  }
  if (nowMs < facts.notBeforeMs) return `is valid only from ${new Date(facts.notBeforeMs).toISOString()}`;
  if (nowMs > facts.notAfterMs) return `expired at ${new Date(facts.notAfterMs).toISOString()}`;
  const weakness = keyWeakness(publicKey);
  if (weakness) return `has ${weakness}`;
  if (!signatureHashes.has(facts.signatureOid)) return `is signed with ${facts.signatureOid}; use SHA-256`;
  const [foreign] = facts.unknownCritical;
  if (foreign) return `has the critical extension ${foreign}, which is not understood`;
  const purposes = facts.extendedKeyUsages;
  const needed = [oids.serverAuth, oids.clientAuth];
  if (
    purposes &&
    !purposes.includes(oids.anyExtendedKeyUsage) &&
    !needed.every((one) => purposes.includes(one))
  ) {
    return "limits its certificates to other purposes than both ends of TLS";
  }
  const uri = facts.uris.find((one) => one !== trustDomainId(trustDomain));
  if (uri !== undefined)
    return `is named ${uri}; an authority here may be named ${trustDomainId(trustDomain)} or nothing`;
  return undefined;
}

function nameOf({ x509, facts }: Certificate): string {
  return `"${x509.subject?.split("\n").join(", ") || `serial ${facts.serial}`}"`;
}

function issuerOf({ x509 }: Certificate): string {
  return `"${x509.issuer?.split("\n").join(", ")}"`;
}
