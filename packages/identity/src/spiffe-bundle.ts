import { createPublicKey } from "node:crypto";
import { messageOf } from "@weft/base/errors";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { keyWeakness } from "./key-pair.ts";
import { parseTrustDomain, type TrustDomain, trustDomainId } from "./spiffe-id.ts";
import { maxRoots } from "./trust-bundle.ts";

/** What SVIDs of one trust domain are verified with, as other domains are told it. */
export interface SpiffeBundle {
  readonly trustDomain: TrustDomain;
  /** None: no X.509-SVID of the domain is good. */
  readonly roots: readonly Certificate[];
  /** Public JSON Web Keys of JWT-SVIDs, each with its `kid`. */
  readonly jwtKeys: readonly PublicJwk[];
  /** Grows with every change; undefined where the publisher says none. */
  readonly sequence: bigint | undefined;
  /** How often to look for a newer one, in seconds; undefined where the publisher says none. */
  readonly refreshHintS: number | undefined;
}

/** What a member of a mesh verifies identities of other trust domains with. */
export interface BundleMap {
  readonly bundles: readonly SpiffeBundle[];
  /** Names of the mesh's own trust domain. */
  readonly aliases: readonly TrustDomain[];
}

export type PublicJwk = Readonly<Record<string, string>>;

/** Text that is no SPIFFE bundle, or one that must not be believed; the message says why. */
export class SpiffeBundleError extends Error {
  override readonly name = "SpiffeBundleError";
}

/** A document that is larger is none. */
export const maxBundleBytes = 1 << 20;
const maxJwtKeys = 100;
const maxTrustDomains = 1000;
/** Of a public key, what a verifier needs. */
const publicMembers = ["kty", "kid", "alg", "crv", "x", "y", "n", "e"] as const;

/**
 * Reads the bundle document of a trust domain. Keys of other kinds and uses are
 * left out, as the standard asks; a root that is no authority, is weak or is
 * named after another trust domain makes all of it unusable.
 *
 * @throws SpiffeBundleError
 * @see SPIFFE Trust Domain and Bundle §4, X509-SVID §6, JWT-SVID §5
 */
export function parseSpiffeBundle(trustDomain: TrustDomain, text: string): SpiffeBundle {
  if (Buffer.byteLength(text) > maxBundleBytes)
    throw new SpiffeBundleError(`more than ${maxBundleBytes} bytes`);
  return readBundle(trustDomain, parseJson(text));
}

/** The document of a bundle; equal for equal bundles. */
export function formatSpiffeBundle(bundle: SpiffeBundle): string {
  return JSON.stringify(documentOf(bundle), numbers);
}

/**
 * Several bundles by trust domain in one document, as SPIFFE's trust bundle maps
 * are written, with the names that mean the same as the reader's own trust domain;
 * equal for equal bundles.
 */
export function formatBundleMap({ bundles, aliases }: BundleMap): string {
  const sorted = bundles.toSorted((a, b) => (a.trustDomain < b.trustDomain ? -1 : 1));
  const domains = Object.fromEntries(sorted.map((bundle) => [bundle.trustDomain, documentOf(bundle)]));
  return JSON.stringify({ trust_domains: domains, aliases }, numbers);
}

/** The inverse of `formatBundleMap`. @throws SpiffeBundleError, SpiffeIdError */
export function parseBundleMap(text: string): BundleMap {
  const { trust_domains, aliases = [] } = objectOf(parseJson(text));
  if (!Array.isArray(aliases)) throw new SpiffeBundleError("aliases is not a list");
  const domains = Object.entries(objectOf(trust_domains));
  if (domains.length > maxTrustDomains)
    throw new SpiffeBundleError(`more than ${maxTrustDomains} trust domains`);
  const bundles = domains.map(([name, document]) => {
    try {
      return readBundle(parseTrustDomain(name), document);
    } catch (error) {
      throw new SpiffeBundleError(`${name}: ${messageOf(error)}`, { cause: error });
    }
  });
  return { bundles, aliases: aliases.map((alias) => parseTrustDomain(String(alias))) };
}

function readBundle(trustDomain: TrustDomain, json: unknown): SpiffeBundle {
  const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: hint } = objectOf(json);
  if (!Array.isArray(keys)) throw new SpiffeBundleError("there is no list of keys");
  const roots = new Map<string, Certificate>();
  const jwtKeys: PublicJwk[] = [];
  for (const [index, entry] of keys.entries()) {
    const jwk = objectOf(entry);
    if (typeof jwk.kty !== "string" || typeof jwk.use !== "string") {
      throw new SpiffeBundleError(`keys[${index}] does not say its kty and use`);
    }
    if (jwk.use === "x509-svid") {
      const root = readRoot(jwk, trustDomain, index);
      roots.set(root.pem, root);
    } else if (jwk.use === "jwt-svid") jwtKeys.push(...readJwtKey(jwk, index));
    if (roots.size > maxRoots) throw new SpiffeBundleError(`more than ${maxRoots} roots`);
    if (jwtKeys.length > maxJwtKeys) throw new SpiffeBundleError(`more than ${maxJwtKeys} keys of JWT-SVIDs`);
  }
  return {
    trustDomain,
    roots: [...roots.values()],
    jwtKeys,
    sequence: sequence === undefined ? undefined : wholeNumber(sequence, "spiffe_sequence"),
    refreshHintS: hint === undefined ? undefined : Number(wholeNumber(hint, "spiffe_refresh_hint")),
  };
}

function readRoot(
  jwk: Readonly<Record<string, unknown>>,
  trustDomain: TrustDomain,
  index: number,
): Certificate {
  const { x5c } = jwk;
  const fail = (why: string): SpiffeBundleError => new SpiffeBundleError(`keys[${index}] ${why}`);
  if (!Array.isArray(x5c) || x5c.length !== 1 || typeof x5c[0] !== "string") {
    throw fail("has not exactly one certificate (x5c)");
  }
  let root: Certificate;
  try {
    root = parseCertificate(Buffer.from(x5c[0], "base64"));
  } catch (error) {
    throw fail(`holds no certificate: ${messageOf(error)}`);
  }
  if (!root.facts.isCa) throw fail("is no certificate authority");
  const weakness = keyWeakness(root.publicKey);
  if (weakness) throw fail(`has ${weakness}`);
  const other = root.facts.uris.find((uri) => uri !== trustDomainId(trustDomain));
  if (other !== undefined)
    throw fail(`is named ${JSON.stringify(other.slice(0, 80))}, not ${trustDomainId(trustDomain)}`);
  return root;
}

/** None where the key is of a type that is not known. */
function readJwtKey(jwk: Readonly<Record<string, unknown>>, index: number): PublicJwk[] {
  if (jwk.kty !== "EC" && jwk.kty !== "RSA") return [];
  if (typeof jwk.kid !== "string" || jwk.kid === "") throw new SpiffeBundleError(`keys[${index}] has no kid`);
  const members = publicMembers.flatMap((name) => {
    const value = jwk[name];
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  const key = Object.fromEntries(members);
  let weakness: string | undefined;
  try {
    weakness = keyWeakness(createPublicKey({ key, format: "jwk" }));
  } catch {
    throw new SpiffeBundleError(`keys[${index}] is not a valid key`);
  }
  if (weakness) throw new SpiffeBundleError(`keys[${index}] has ${weakness}`);
  return [key];
}

function documentOf({ roots, jwtKeys, sequence, refreshHintS }: SpiffeBundle): object {
  return {
    keys: [
      ...roots.map((root) => ({
        use: "x509-svid",
        ...root.publicKey.export({ format: "jwk" }),
        x5c: [root.x509.raw.toString("base64")],
      })),
      ...jwtKeys.map((key) => ({ use: "jwt-svid", ...key })),
    ],
    ...(sequence === undefined ? {} : { spiffe_sequence: sequence }),
    ...(refreshHintS === undefined ? {} : { spiffe_refresh_hint: refreshHintS }),
  };
}

/** JSON has whole numbers of any length; JavaScript's own end at 53 bits. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function numbers(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? rawJSON(value.toString()) : value;
}

function parseJson(text: string): unknown {
  const reviver = (name: string, value: unknown, context?: { readonly source?: string }): unknown =>
    (name === "spiffe_sequence" || name === "spiffe_refresh_hint") &&
    typeof value === "number" &&
    /^\d{1,40}$/.test(context?.source ?? "")
      ? BigInt(context!.source!)
      : value;
  try {
    return JSON.parse(text, reviver);
  } catch {
    throw new SpiffeBundleError("it is not JSON");
  }
}

function wholeNumber(value: unknown, name: string): bigint {
  if (typeof value === "bigint" && value < 1n << 64n) return value;
  throw new SpiffeBundleError(`${name} is not a whole number of 64 bits`);
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new SpiffeBundleError("it is no bundle: an object belongs there");
}
