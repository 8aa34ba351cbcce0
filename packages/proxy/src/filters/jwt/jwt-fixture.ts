/** Issuers with keys of every accepted kind, and the tokens they make; for tests. */
import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

const algorithms = {
  ES256: { type: "ec", curve: "P-256" },
  ES384: { type: "ec", curve: "P-384" },
  ES512: { type: "ec", curve: "P-521" },
  RS256: { type: "rsa", curve: "" },
  PS256: { type: "rsa", curve: "" },
  RS512: { type: "rsa", curve: "" },
  EdDSA: { type: "ed25519", curve: "" },
} as const;

export type TestAlgorithm = keyof typeof algorithms;

/** A key pair: `jwk` is what an issuer publishes. */
export class TestKey {
  readonly id: string;
  readonly algorithm: TestAlgorithm;
  readonly privateKey: KeyObject;
  readonly jwk: Record<string, unknown>;

  constructor(algorithm: TestAlgorithm, id: string, rsaBits = 2048) {
    const { type, curve } = algorithms[algorithm];
    const { publicKey, privateKey } =
      type === "ec"
        ? generateKeyPairSync("ec", { namedCurve: curve })
        : type === "rsa"
          ? generateKeyPairSync("rsa", { modulusLength: rsaBits })
          : generateKeyPairSync("ed25519");
    this.id = id;
    this.algorithm = algorithm;
    this.privateKey = privateKey;
    this.jwk = { ...publicKey.export({ format: "jwk" }), kid: id, alg: algorithm, use: "sig" };
  }

  /** A signed token; `header` overrides what it says of itself. */
  token(payload: object, header: object = {}): string {
    const said = { alg: this.algorithm, typ: "JWT", kid: this.id, ...header };
    const signed = `${encode(said)}.${encode(payload)}`;
    return `${signed}.${this.signature(signed).toString("base64url")}`;
  }

  signature(signed: string): Buffer {
    const data = Buffer.from(signed);
    const key = this.privateKey;
    const hash = this.algorithm === "EdDSA" ? null : `sha${this.algorithm.slice(2)}`;
    if (this.algorithm.startsWith("ES")) return sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
    if (!this.algorithm.startsWith("PS")) return sign(hash, data, key);
    return sign(hash, data, {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    });
  }
}

export function encode(json: unknown): string {
  return Buffer.from(typeof json === "string" ? json : JSON.stringify(json)).toString("base64url");
}

export function keySet(...keys: readonly TestKey[]): string {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}
