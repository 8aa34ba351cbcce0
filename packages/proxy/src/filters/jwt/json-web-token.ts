import type { MetadataValue } from "../../layer/dynamic-metadata.ts";
import { type JwtFailure, jwtFailures } from "./jwt-failure.ts";

export type JsonObject = Readonly<Record<string, MetadataValue>>;

/** A token that could be read; nothing of it is to be believed before its signature has been verified. */
export interface JsonWebToken {
  readonly header: JsonObject;
  readonly payload: JsonObject;
  /** As it arrived, for services that want to read it. */
  readonly payloadText: string;
  readonly algorithm: JwtAlgorithm;
  readonly keyId: string;
  readonly issuer: string;
  readonly subject: string;
  readonly audiences: readonly string[];
  /** Seconds since the epoch; 0 where it says nothing. */
  readonly issuedAtS: number;
  readonly notBeforeS: number;
  readonly expiresAtS: number;
  /** What is signed: header and payload, encoded. */
  readonly signed: string;
  readonly signature: Buffer;
}

/**
 * The algorithms that are accepted: those with a public key. Secrets shared
 * with every verifier (HS256) and `none` are not.
 */
export const jwtAlgorithms = [
  "ES256",
  "ES384",
  "ES512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "EdDSA",
] as const;

export type JwtAlgorithm = (typeof jwtAlgorithms)[number];

export type ParsedJwt =
  | { readonly token: JsonWebToken; readonly failure?: undefined }
  | { readonly token?: undefined; readonly failure: JwtFailure };

/** Reads a token in compact serialisation. @see RFC 7515 §7.1, RFC 7519 */
export function parseJwt(text: string): ParsedJwt {
  const parts = text.split(".", 4);
  if (parts.length !== 3 || parts.includes("")) return { failure: jwtFailures.badFormat };
  const [headerText, payloadText, signatureText] = parts as [string, string, string];
  const header = readJson(headerText, jwtFailures.headerEncoding, jwtFailures.headerJson);
  if (header.failure) return header;
  const { alg, kid } = header.json;
  if (typeof alg !== "string") return { failure: jwtFailures.headerAlgorithm };
  const algorithm = jwtAlgorithms.find((known) => known === alg);
  // An extension a token declares critical must be understood, and none is (RFC 7515 §4.1.11).
  if (!algorithm || "crit" in header.json) return { failure: jwtFailures.unsupportedAlgorithm };
  if (kid !== undefined && typeof kid !== "string") return { failure: jwtFailures.headerKeyId };
  const payload = readJson(payloadText, jwtFailures.payloadEncoding, jwtFailures.payloadJson);
  if (payload.failure) return payload;
  const claims = readClaims(payload.json);
  if ("failure" in claims) return claims;
  const signature = decodeBase64Url(signatureText);
  if (!signature) return { failure: jwtFailures.signatureEncoding };
  return {
    token: {
      ...claims,
      header: header.json,
      payload: payload.json,
      payloadText,
      algorithm,
      keyId: kid ?? "",
      signed: `${headerText}.${payloadText}`,
      signature,
    },
  };
}

type Claims = Pick<
  JsonWebToken,
  "issuer" | "subject" | "audiences" | "issuedAtS" | "notBeforeS" | "expiresAtS"
>;

function readClaims(payload: JsonObject): Claims | { readonly failure: JwtFailure } {
  const { iss = "", sub = "", aud = [], iat = 0, nbf = 0, exp = 0, jti = "" } = payload;
  if (typeof iss !== "string") return { failure: jwtFailures.issuer };
  if (typeof sub !== "string") return { failure: jwtFailures.subject };
  if (typeof iat !== "number") return { failure: jwtFailures.issuedAt };
  if (iat < 0) return { failure: jwtFailures.issuedAtRange };
  if (typeof nbf !== "number") return { failure: jwtFailures.notBefore };
  if (nbf < 0) return { failure: jwtFailures.notBeforeRange };
  if (typeof exp !== "number") return { failure: jwtFailures.expiration };
  if (exp < 0) return { failure: jwtFailures.expirationRange };
  if (typeof jti !== "string") return { failure: jwtFailures.tokenId };
  const audiences = typeof aud === "string" ? [aud] : aud;
  if (!Array.isArray(audiences) || !audiences.every((one) => typeof one === "string")) {
    return { failure: jwtFailures.audience };
  }
  return { issuer: iss, subject: sub, audiences, issuedAtS: iat, notBeforeS: nbf, expiresAtS: exp };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function readJson(
  text: string,
  badEncoding: JwtFailure,
  badJson: JwtFailure,
):
  | { readonly json: JsonObject; readonly failure?: undefined }
  | { readonly json?: undefined; readonly failure: JwtFailure } {
  const bytes = decodeBase64Url(text);
  if (!bytes) return { failure: badEncoding };
  try {
    const json: unknown = JSON.parse(utf8.decode(bytes));
    if (typeof json === "object" && json !== null && !Array.isArray(json))
      return { json: json as JsonObject };
  } catch {
    // Not UTF-8, or not JSON.
  }
  return { failure: badJson };
}

/** Undefined for what is not base64url without padding, the last bits zero. @see RFC 7515 §2 */
export function decodeBase64Url(text: string): Buffer | undefined {
  if (text.length % 4 === 1 || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}
