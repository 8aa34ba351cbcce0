import { createPublicKey, type JsonWebKey } from "node:crypto";

/** What of a key set may verify tokens. */
export interface PublicKeys {
  /** A JSON Web Key Set of public keys only, equal for equal keys. */
  readonly text: string;
  /** Why keys were left out, one line for each. */
  readonly dropped: readonly string[];
}

/** More than this is no key set of an issuer: each key may be tried for a token. */
const maxKeys = 100;
/** @see RFC 7518 §3.3 */
const minRsaBits = 2048;
const algorithms: Readonly<Record<string, readonly string[]>> = {
  RSA: ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  "P-256": ["ES256"],
  "P-384": ["ES384"],
  "P-521": ["ES512"],
  Ed25519: ["EdDSA"],
};

/**
 * Keeps of a key set what every data plane may verify with: public keys for
 * signatures, of kinds that are safe. Secrets, private parts, encryption keys
 * and short ones never reach a proxy.
 *
 * @throws SyntaxError for what is no key set, or has no key that can verify
 * @see RFC 7517 §5
 */
export function parsePublicKeys(text: string): PublicKeys {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new SyntaxError("is not JSON");
  }
  const list: unknown = (json as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(list)) throw new SyntaxError('has no list called "keys"');
  if (list.length > maxKeys)
    throw new SyntaxError(`has ${list.length} keys; at most ${maxKeys} are accepted`);
  const keys: object[] = [];
  const dropped: string[] = [];
  list.forEach((jwk, i) => {
    const read = readKey(jwk);
    if (typeof read === "string") dropped.push(`keys[${i}] ${read}`);
    else keys.push(read);
  });
  if (keys.length === 0) {
    throw new SyntaxError(`has no key that can verify${dropped.length > 0 ? `: ${dropped.join(", ")}` : ""}`);
  }
  return { text: JSON.stringify({ keys }), dropped };
}

/** The public part of a key, or why it is not used. */
function readKey(jwk: unknown): object | string {
  if (typeof jwk !== "object" || jwk === null) return "is not an object";
  const { kty, crv, x, y, n, e, kid, alg, use, key_ops: operations } = jwk as Record<string, unknown>;
  if (kty === "oct") return "is a secret, which every verifier would hold";
  if (kid !== undefined && typeof kid !== "string") return "has a kid that is not text";
  if (use !== undefined && use !== "sig") return "is not for signatures";
  if (Array.isArray(operations) && !operations.includes("verify")) return "is not for signatures";
  const possible = algorithms[String(kty === "RSA" ? kty : crv)];
  if (!possible || !["RSA", "EC", "OKP"].includes(String(kty))) return "is of an unknown kind";
  if (alg !== undefined && !possible.includes(String(alg)))
    return `is for ${String(alg)}, which it cannot be`;
  const isRsa = kty === "RSA";
  const material = isRsa ? { kty, n, e } : { kty, crv, x, ...(kty === "EC" ? { y } : {}) };
  try {
    const key = createPublicKey({ key: material as JsonWebKey, format: "jwk" });
    if (isRsa && (key.asymmetricKeyDetails?.modulusLength ?? 0) < minRsaBits)
      return `has fewer than ${minRsaBits} bits`;
  } catch {
    return "is not a valid key";
  }
  return { ...material, use: "sig", ...(alg ? { alg } : {}), ...(kid ? { kid } : {}) };
}
