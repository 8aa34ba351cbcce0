import { constants, createPublicKey, type JsonWebKey, type KeyObject, verify } from "node:crypto";
import { derSignature } from "./der-signature.ts";
import type { JsonWebToken, JwtAlgorithm } from "./json-web-token.ts";
import { type JwtFailure, jwtFailures } from "./jwt-failure.ts";

/** A public key, and what it may verify. */
interface VerificationKey {
  readonly id: string;
  readonly algorithms: ReadonlySet<JwtAlgorithm>;
  readonly key: KeyObject;
}

/** The public keys of one issuer. */
export interface KeySet {
  readonly keys: readonly VerificationKey[];
}

/** More keys than this are refused: each may be tried for a token without a key id. */
const maxKeys = 100;
/** @see RFC 7518 §3.3 */
const minRsaBits = 2048;

/**
 * Reads a key set. Keys that cannot verify here (secrets, encryption keys,
 * short or unknown ones) are left out. Throws a `SyntaxError` for what is no
 * key set, or has no usable key.
 *
 * @see RFC 7517 §5
 */
export function parseKeySet(text: string): KeySet {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new SyntaxError("is not JSON");
  }
  const keys: unknown = (json as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) throw new SyntaxError("has no list called `keys`");
  if (keys.length > maxKeys) throw new SyntaxError(`has more than ${maxKeys} keys`);
  const usable = keys.map(readKey).filter((key) => key !== undefined);
  if (usable.length === 0) throw new SyntaxError("has no key that can verify: EC, RSA of 2048 bits, Ed25519");
  return { keys: usable };
}

function readKey(jwk: unknown): VerificationKey | undefined {
  if (typeof jwk !== "object" || jwk === null) return undefined;
  const { kid = "", alg, use, key_ops: operations, ...rest } = jwk as Record<string, unknown>;
  if (typeof kid !== "string") return undefined;
  if (use !== undefined && use !== "sig") return undefined;
  if (Array.isArray(operations) && !operations.includes("verify")) return undefined;
  const possible = algorithmsOf(rest);
  const algorithms = alg === undefined ? possible : possible.filter((one) => one === alg);
  if (algorithms.length === 0) return undefined;
  try {
    const { kty, crv, x, y, n, e } = rest as JsonWebKey;
    const key = createPublicKey({ key: { kty, crv, x, y, n, e } as JsonWebKey, format: "jwk" });
    if (kty === "RSA" && (key.asymmetricKeyDetails?.modulusLength ?? 0) < minRsaBits) return undefined;
    return { id: kid, algorithms: new Set(algorithms), key };
  } catch {
    return undefined;
  }
}

/** A key is bound to algorithms by its type: none can be used in a way it was not made for. */
function algorithmsOf({ kty, crv }: Readonly<Record<string, unknown>>): readonly JwtAlgorithm[] {
  if (kty === "RSA") return ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
  if (kty === "EC" && crv === "P-256") return ["ES256"];
  if (kty === "EC" && crv === "P-384") return ["ES384"];
  if (kty === "EC" && crv === "P-521") return ["ES512"];
  if (kty === "OKP" && crv === "Ed25519") return ["EdDSA"];
  return [];
}

/** Verifies a token's signature with the keys it may be by; undefined when one of them made it. */
export function verifySignature(token: JsonWebToken, { keys }: KeySet): JwtFailure | undefined {
  let hasCandidate = false;
  for (const { id, algorithms, key } of keys) {
    if (token.keyId !== "" && id !== "" && id !== token.keyId) continue;
    if (!algorithms.has(token.algorithm)) continue;
    hasCandidate = true;
    if (isSignedBy(token, key)) return undefined;
  }
  return hasCandidate ? jwtFailures.verification : jwtFailures.noMatchingKey;
}

/** Both numbers of a signature. @see RFC 7518 §3.4 */
const ecSignatureBytes: Readonly<Record<string, number>> = { ES256: 64, ES384: 96, ES512: 132 };

function isSignedBy({ algorithm, signed, signature }: JsonWebToken, key: KeyObject): boolean {
  const data = Buffer.from(signed, "latin1");
  const hash = algorithm === "EdDSA" ? null : `sha${algorithm.slice(2)}`;
  switch (algorithm.slice(0, 2)) {
    case "ES": {
      const der = signature.length === ecSignatureBytes[algorithm] ? derSignature(signature) : undefined;
      return der !== undefined && verify(hash, data, key, der);
    }
    case "PS":
      return verify(
        hash,
        data,
        {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        },
        signature,
      );
    default:
      return verify(hash, data, key, signature);
  }
}
