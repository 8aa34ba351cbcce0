import { createPrivateKey, createPublicKey, generateKeyPair as generate, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

/** A private key with its public half. Weft never sends the private one anywhere. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export type EcCurve = "P-256" | "P-384";

const generateEc = promisify(generate);

/** A new ECDSA key, made off the main thread. */
export function generateKeyPair(curve: EcCurve = "P-256"): Promise<KeyPair> {
  return generateEc("ec", { namedCurve: curve });
}

/** PKCS #8, as Envoy and `node:tls` take it. Secret: for files of mode 0600 and Unix sockets only. */
export function formatPrivateKey(privateKey: KeyObject): string {
  return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

/** @throws when the text is no unencrypted private key. */
export function parsePrivateKey(pem: string): KeyPair {
  const privateKey = createPrivateKey(pem);
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/** The DER of the SubjectPublicKeyInfo. */
export function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: "spki", format: "der" });
}

/**
 * Why a key may not be certified or trusted; undefined when it may. Accepted:
 * ECDSA on P-256, P-384 and P-521 by curve name, RSA of 2048 to 4096 bits. The
 * upper bound keeps a peer from choosing how much CPU a check costs.
 */
export function keyWeakness(key: KeyObject): string | undefined {
  const details = key.asymmetricKeyDetails;
  switch (key.asymmetricKeyType) {
    case "ec":
      if (["prime256v1", "secp384r1", "secp521r1"].includes(details?.namedCurve ?? "")) return undefined;
      return `an EC key on curve ${details?.namedCurve ?? "without a name"}; use P-256`;
    case "rsa": {
      const bits = details?.modulusLength ?? 0;
      if (bits < 2048 || bits > 4096) return `an RSA key of ${bits} bits; use 2048 to 4096, or ECDSA P-256`;
      if ((details?.publicExponent ?? 0n) < 65_537n) return "an RSA key with a small exponent; use 65537";
      return undefined;
    }
    default:
      return `a key of type ${key.asymmetricKeyType ?? "unknown"}; use ECDSA P-256`;
  }
}
