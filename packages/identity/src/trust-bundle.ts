import { createHash } from "node:crypto";
import { type Certificate, parseCertificates, spkiPin } from "./certificate.ts";
import type { TrustDomain } from "./spiffe-id.ts";

/**
 * The roots one trust domain is verified against. There are several while one
 * root replaces another.
 */
export interface TrustBundle {
  readonly trustDomain: TrustDomain;
  /** At least one. */
  readonly roots: readonly Certificate[];
}

/** No bundle has more. */
export const maxRoots = 16;

/** @throws PemError, DerError; Error when a certificate is no certificate authority. */
export function parseTrustBundle(trustDomain: TrustDomain, pem: string): TrustBundle {
  return trustBundle(trustDomain, parseCertificates(pem, maxRoots));
}

/** Each root once, in the order given. @throws Error when there is none, or one that may not sign. */
export function trustBundle(trustDomain: TrustDomain, certificates: readonly Certificate[]): TrustBundle {
  const roots = [...new Map(certificates.map((root) => [root.pem, root])).values()];
  if (roots.length === 0) throw new Error("a trust bundle has at least one root");
  if (roots.length > maxRoots) throw new Error(`a trust bundle has at most ${maxRoots} roots`);
  if (roots.some((root) => !root.facts.isCa))
    throw new Error("a trust bundle holds only certificate authorities");
  return { trustDomain, roots };
}

/** All roots as PEM, as `ca:` of `node:tls` and Envoy's `trusted_ca` take it. */
export function formatTrustBundle(bundle: TrustBundle): string {
  return bundle.roots.map((root) => root.pem).join("");
}

/** Names a bundle among others: the same roots in the same order have the same. */
export function bundleVersion(bundle: TrustBundle): string {
  return createHash("sha256").update(formatTrustBundle(bundle)).digest("hex").slice(0, 16);
}

/** The SPKI pin of every root. */
export function bundlePins(bundle: TrustBundle): string[] {
  return bundle.roots.map(spkiPin);
}
