import { generateKeyPairSync, sign } from "node:crypto";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** The key set of an issuer, as JSON. */
export function issuerKeys(): string {
  return JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "bench", alg: "ES256" }] });
}

/** Paths with a token each, all of them good: more than a proxy remembers. */
export function pathsWithTokens(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `/bench?access_token=${token(`user-${i}`)}`);
}

function token(sub: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 86_400;
  const signed = `${encode({ alg: "ES256", kid: "bench" })}.${encode({ iss: "bench", sub, exp })}`;
  const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}
