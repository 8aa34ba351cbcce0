import type { Certificate } from "./certificate.ts";
import { maxChainLength } from "./certificate.ts";

/**
 * Continues a chain that breaks off before its root with signers that are known
 * here. A TLS server on Node 24 is told the client's leaf alone
 * (nodejs/node#65579), whatever the client sent. What is added proves nothing by
 * itself: the result is for `verifySvid`.
 */
export function completeChain(
  chain: readonly Certificate[],
  known: readonly Certificate[],
): readonly Certificate[] {
  const path = [...chain];
  while (path.length > 0 && path.length < maxChainLength) {
    const last = path.at(-1)!;
    if (last.facts.issuerName.equals(last.facts.subjectName)) break;
    const issuer = known.find((candidate) => isIssuedBy(last, candidate) && !path.includes(candidate));
    if (!issuer) break;
    path.push(issuer);
  }
  return path;
}

/** Whether the name and the signature of a certificate are those of an issuer. */
export function isIssuedBy(subject: Certificate, issuer: Certificate): boolean {
  if (!subject.facts.issuerName.equals(issuer.facts.subjectName)) return false;
  return subject.x509.checkIssued(issuer.x509) && subject.x509.verify(issuer.publicKey);
}

/** A certificate authority that signed itself. */
export function isSelfSigned({ facts, x509, publicKey }: Certificate): boolean {
  return facts.isCa && facts.issuerName.equals(facts.subjectName) && x509.verify(publicKey);
}
