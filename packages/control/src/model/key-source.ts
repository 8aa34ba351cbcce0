import type { ConfigResource } from "../config/resource.ts";
import type { JwtRuleSpec } from "../config/security-specs.ts";
import { parseDurationMs } from "../config/values.ts";

/** Where the keys of an issuer are fetched. */
export interface KeySource {
  /** Of the key set; of the issuer's OpenID discovery document where `isDiscovered`. */
  readonly url: string;
  readonly isDiscovered: boolean;
  /** For the whole of it, redirects included. */
  readonly timeoutMs: number;
}

/** What is known of the keys of a source. */
export type FetchedKeys =
  | { readonly state: "fetched"; readonly text: string }
  /** Nothing that could verify: every token is refused. */
  | { readonly state: "failed"; readonly problem: string };

/** By URL of the source; one that is not there has not been asked yet. */
export type KeySets = ReadonlyMap<string, FetchedKeys>;

const defaultTimeoutMs = 5000;

/**
 * Where the keys of a rule come from; undefined when they are written in it.
 *
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html §4.1
 */
export function keySourceOf(rule: JwtRuleSpec): KeySource | undefined {
  if (rule.jwks) return undefined;
  const uri = rule.jwksUri ?? rule.jwks_uri;
  const timeoutMs = (rule.timeout && parseDurationMs(rule.timeout)) || defaultTimeoutMs;
  if (uri) return { url: uri, isDiscovered: false, timeoutMs };
  const issuer = rule.issuer!.replace(/\/$/, "");
  return { url: `${issuer}/.well-known/openid-configuration`, isDiscovered: true, timeoutMs };
}

/** Every source that the configuration names, once; with the longest time that is given for it. */
export function keySourcesOf(resources: readonly ConfigResource[]): readonly KeySource[] {
  const sources = new Map<string, KeySource>();
  for (const resource of resources) {
    if (resource.kind !== "RequestAuthentication") continue;
    for (const rule of resource.spec.jwtRules ?? []) {
      const source = keySourceOf(rule);
      if (!source) continue;
      const known = sources.get(source.url);
      if (!known || known.timeoutMs < source.timeoutMs) sources.set(source.url, source);
    }
  }
  return [...sources.values()];
}
