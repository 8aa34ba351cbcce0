import { createHash, createPublicKey, type KeyObject, randomUUID, sign } from "node:crypto";
import type { SpiffeId } from "./spiffe-id.ts";

/** A key that signs JWT-SVIDs, named as its public half is in a key set. */
export interface JwtSigningKey {
  readonly id: string;
  /** ECDSA P-256. */
  readonly privateKey: KeyObject;
}

export interface JwtSvidRequest {
  readonly spiffeId: SpiffeId;
  /** At least one. */
  readonly audience: readonly string[];
  readonly nowMs: number;
  readonly expiresAtMs: number;
}

export interface JwtSvid {
  /** In compact serialization. A secret: whoever has it may pose as its subject before its audience. */
  readonly token: string;
  readonly tokenId: string;
}

/**
 * Signs a JWT-SVID with ES256.
 *
 * @see https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md
 */
export function signJwtSvid(key: JwtSigningKey, request: JwtSvidRequest): JwtSvid {
  const tokenId = randomUUID();
  const header = { alg: "ES256", kid: key.id, typ: "JWT" };
  const payload = {
    sub: request.spiffeId,
    aud: request.audience,
    iat: Math.floor(request.nowMs / 1000),
    exp: Math.floor(request.expiresAtMs / 1000),
    jti: tokenId,
  };
  const signed = `${encode(header)}.${encode(payload)}`;
  const signature = sign("sha256", Buffer.from(signed), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
  return { token: `${signed}.${signature.toString("base64url")}`, tokenId };
}

/** The public half of a signing key, as a JSON Web Key (RFC 7517). */
export function publicJwk({ id, privateKey }: JwtSigningKey): Readonly<Record<string, string>> {
  const { kty, crv, x, y } = createPublicKey(privateKey).export({ format: "jwk" });
  return { kty: kty!, kid: id, alg: "ES256", crv: crv!, x: x!, y: y! };
}

/** A name for a key that says nothing but which it is: its thumbprint (RFC 7638). */
export function jwtKeyId(privateKey: KeyObject): string {
  const { kty, crv, x, y } = createPublicKey(privateKey).export({ format: "jwk" });
  return createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
