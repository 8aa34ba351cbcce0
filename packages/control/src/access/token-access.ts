import { createLocalJWKSet, decodeJwt, errors, type JWTPayload, jwtVerify } from "jose";
import type { Role } from "../api/role.ts";
import type { FetchedKeys, KeySource } from "../model/key-source.ts";
import type { TokenIssuer } from "./access-file.ts";
import { strongest } from "./strongest-role.ts";

export interface TokenHolder {
  readonly name: string;
  readonly role: Role | undefined;
}

/** Signatures of public keys alone: nothing that a public key could be mistaken for the secret of. */
const algorithms = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];
const fetchTimeoutMs = 5_000;
const clockToleranceSeconds = 30;
const maxTokenLength = 12_288;

/** Where the keys of these issuers are fetched. */
export function keySourcesOfIssuers(issuers: readonly TokenIssuer[]): readonly KeySource[] {
  return issuers.map(sourceOf);
}

function sourceOf({ issuer, jwksUri }: TokenIssuer): KeySource {
  const discovery = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  return { url: jwksUri ?? discovery, isDiscovered: jwksUri === undefined, timeoutMs: fetchTimeoutMs };
}

/**
 * Who a bearer token says it is, once its signature, issuer, audience and times
 * are verified; roles by its claims.
 *
 * @throws Error that says what is wrong with it, in words for who sent it
 * @see RFC 8725 (JSON Web Token Best Current Practices)
 */
export async function holderOfToken(
  token: string,
  issuers: readonly TokenIssuer[],
  keysOf: (url: string) => FetchedKeys | undefined,
): Promise<TokenHolder> {
  const rule = issuerOf(token, issuers);
  const keys = keysOf(sourceOf(rule).url);
  if (keys?.state !== "fetched") throw new Error(`the keys of ${rule.issuer} are not known at the moment`);
  const { payload } = await jwtVerify(token, createLocalJWKSet(JSON.parse(keys.text)), {
    issuer: rule.issuer,
    audience: rule.audience,
    algorithms,
    clockTolerance: clockToleranceSeconds,
    requiredClaims: ["exp", "sub"],
  }).catch((error: unknown) => {
    throw new Error(problemOf(error), { cause: error });
  });
  const named = payload[rule.name ?? "sub"];
  if (typeof named !== "string" || !/^[\x21-\x7e]{1,256}$/.test(named)) {
    throw new Error(`its claim ${rule.name ?? "sub"} is no name`);
  }
  return {
    name: named,
    role: strongest(rule.roles.filter((one) => has(payload, one)).map(({ role }) => role)),
  };
}

/** Looked at before anything is verified, only to know whose keys to verify with. */
function issuerOf(token: string, issuers: readonly TokenIssuer[]): TokenIssuer {
  if (token.length > maxTokenLength) throw new Error("it is too long");
  let claimed: string | undefined;
  try {
    claimed = decodeJwt(token).iss;
  } catch {
    throw new Error("it is no JSON Web Token");
  }
  const rule = issuers.find(({ issuer }) => issuer === claimed);
  if (!rule) throw new Error("nobody trusts its issuer here");
  return rule;
}

function has(payload: JWTPayload, { claim, values }: TokenIssuer["roles"][number]): boolean {
  if (claim === undefined || values === undefined) return true;
  const value = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
  const own: readonly unknown[] = Array.isArray(value) ? value : [value];
  return own.some((one) => typeof one === "string" && values.includes(one));
}

function problemOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has expired";
  if (error instanceof errors.JWTClaimValidationFailed)
    return `its claim ${error.claim} is not what it must be`;
  if (error instanceof errors.JOSEAlgNotAllowed) return "its algorithm is not accepted";
  if (error instanceof errors.JWKSNoMatchingKey) return "it was signed by no key of its issuer";
  return "its signature does not hold";
}
