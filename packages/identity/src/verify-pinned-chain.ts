import { createHash, timingSafeEqual } from "node:crypto";
import { spkiPin } from "./certificate.ts";
import { parseTrustDomain, type SpiffeId, type TrustDomain } from "./spiffe-id.ts";
import { type TrustBundle, trustBundle } from "./trust-bundle.ts";
import { parseChain, type SvidChain, SvidError, verifySvid } from "./verify-svid.ts";
import { controlPlaneSpiffeId } from "./workload-id.ts";

/** What an agent knows after its first contact. */
export interface FirstContact {
  readonly controlPlane: SpiffeId;
  /** The one root that was pinned; the certificate's answer brings the whole bundle. */
  readonly bundle: TrustBundle;
}

/**
 * Recognises the control plane by the pin of a join token, before there is any
 * trust bundle: the chain must end in the pinned root, and its leaf must be the
 * control plane's own identity, because every workload's chain ends there too.
 * The trust domain is the one expected, or, when none is, the one the pinned root names.
 *
 * @throws SvidError
 */
export function verifyPinnedChain(
  chain: SvidChain,
  pin: string,
  nowMs: number,
  expected?: TrustDomain,
): FirstContact {
  const certificates = parseChain(chain);
  const root = certificates.find(
    (certificate) => certificate.facts.isCa && isSame(spkiPin(certificate), pin),
  );
  if (!root) {
    throw new SvidError(
      "unknown-root",
      "the control plane's certificate does not end in the root the join token names: the token is of another mesh, or the address is not the control plane's",
    );
  }
  // Its key is pinned, its content is not: only the holder of the key can have written it.
  if (!root.x509.verify(root.publicKey)) {
    throw new SvidError("bad-issuer", "the pinned root is not signed by its own key");
  }
  const trustDomain = expected ?? namedBy(root.facts.uris);
  const bundle = trustBundle(trustDomain, [root]);
  const id = verifySvid(certificates, bundle, nowMs);
  if (id !== controlPlaneSpiffeId(trustDomain)) {
    throw new SvidError(
      "bad-spiffe-id",
      `${id} answered where the control plane of ${trustDomain} was expected`,
    );
  }
  return { controlPlane: id, bundle };
}

function namedBy(uris: readonly string[]): TrustDomain {
  const [uri, second] = uris;
  if (uri === undefined || second !== undefined || !uri.startsWith("spiffe://")) {
    throw new SvidError(
      "bad-spiffe-id",
      "the pinned root names no trust domain; pass the trust domain explicitly",
    );
  }
  try {
    return parseTrustDomain(uri.slice("spiffe://".length));
  } catch (cause) {
    throw new SvidError("bad-spiffe-id", "the pinned root names no trust domain", { cause });
  }
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
