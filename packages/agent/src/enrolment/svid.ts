import type { Certificate } from "@weft/identity/certificate";
import { isIssuedBy, isSelfSigned } from "@weft/identity/complete-chain";
import { formatPrivateKey, type KeyPair, parsePrivateKey } from "@weft/identity/key-pair";
import type { SpiffeId, TrustDomain } from "@weft/identity/spiffe-id";
import { formatTrustBundle, type TrustBundle, trustBundle } from "@weft/identity/trust-bundle";
import { parseChain, SvidError, verifySvid } from "@weft/identity/verify-svid";

/** A workload's proven identity: the key made here, the certificate for it, and whom to trust. */
export interface Svid {
  readonly spiffeId: SpiffeId;
  readonly keys: KeyPair;
  readonly keyPem: string;
  /** Leaf first, then intermediates; no root. */
  readonly chainPem: string;
  readonly bundle: TrustBundle;
  readonly bundlePem: string;
  /** Hexadecimal. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * Puts an authority's answer together with the key it was asked for, refusing
 * one that is not for this key and this identity: an answer is believed for
 * what it proves, not for where it came from.
 *
 * @param chainPem leaf first, then intermediates, then every root
 * @throws SvidError
 */
export function assembleSvid(
  chainPem: string,
  keys: KeyPair,
  expected: { readonly spiffeId: SpiffeId; readonly trustDomain: TrustDomain },
  nowMs: number,
): Svid {
  const chain = parseChain(chainPem);
  const roots = chain.filter(isSelfSigned);
  if (roots.length === 0) {
    throw new SvidError("unknown-root", "the certificate authority answered with a chain without its root");
  }
  const path = chain.filter((certificate) => !isSelfSigned(certificate));
  const bundle = trustBundle(expected.trustDomain, roots);
  const spiffeId = verifySvid(path.length > 0 ? path : chain, bundle, nowMs);
  if (spiffeId !== expected.spiffeId) {
    throw new SvidError(
      "bad-spiffe-id",
      `the certificate is for ${spiffeId}, and ${expected.spiffeId} was asked for`,
    );
  }
  const leaf = path[0]!;
  if (!leaf.publicKey.equals(keys.publicKey)) {
    throw new SvidError("malformed", "the certificate is for another key than the one it was asked for");
  }
  return {
    spiffeId,
    keys,
    keyPem: formatPrivateKey(keys.privateKey),
    chainPem: path.map((certificate) => certificate.pem).join(""),
    bundle,
    bundlePem: formatTrustBundle(bundle),
    serial: leaf.facts.serial,
    notBeforeMs: leaf.facts.notBeforeMs,
    notAfterMs: leaf.facts.notAfterMs,
  };
}

/** The same identity under another trust bundle, which may no longer have its own root in it. */
export function withBundle(svid: Svid, bundle: TrustBundle): Svid {
  return { ...svid, bundle, bundlePem: formatTrustBundle(bundle) };
}

/** The root of the bundle that the certificate comes from; undefined when it is none of them. */
export function rootOf({ chainPem, bundle }: Svid): Certificate | undefined {
  const last = parseChain(chainPem).at(-1)!;
  return bundle.roots.find((root) => isIssuedBy(last, root));
}

/** The same from what `formatSvid` wrote. @throws when it is damaged, expired or of another identity. */
export function parseSvid(
  text: string,
  expected: { readonly spiffeId: SpiffeId; readonly trustDomain: TrustDomain },
  nowMs: number,
): Svid {
  const { key, chain } = JSON.parse(text) as { key: unknown; chain: unknown };
  if (typeof key !== "string" || typeof chain !== "string") throw new Error("it has no key or no chain");
  return assembleSvid(chain, parsePrivateKey(key), expected, nowMs);
}

/** Secret: holds the private key. */
export function formatSvid(svid: Svid): string {
  return `${JSON.stringify({ key: svid.keyPem, chain: svid.chainPem + svid.bundlePem })}\n`;
}
