import { messageOf } from "@weft/base/errors";
import type {
  JwtProvider as JwtProviderMessage,
  RemoteJwks,
} from "@weft/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb";
import { type KeySet, parseKeySet } from "../filters/jwt/json-web-key-set.ts";
import type { JwtAuthnStats } from "../filters/jwt/jwt-authn.ts";
import { bare, JwtProvider, type JwtProviderPlan } from "../filters/jwt/jwt-provider.ts";
import { RemoteKeys } from "../filters/jwt/remote-keys.ts";
import { TokenCache } from "../filters/jwt/token-cache.ts";
import type { DecodeContext } from "./decode-context.ts";
import { refuseProtected } from "./decode-header-edits.ts";
import { decodeHttpUri } from "./decode-http-uri.ts";
import { decodeStringMatcher, durationMs, readDataSource, timeoutMs } from "./decode-values.ts";
import { at } from "./issues.ts";

const defaultClockSkewS = 60;
const defaultCacheSize = 100;
const defaultMaxTokenBytes = 4096;
const noKeys: KeySet = { keys: [] };

/** An issuer of tokens with its keys, ready to verify. */
export function decodeJwtProvider(
  name: string,
  provider: JwtProviderMessage,
  stats: JwtAuthnStats,
  path: string,
  context: DecodeContext,
): JwtProvider {
  const { issues, services } = context;
  const cacheSize = provider.jwtCacheConfig?.jwtCacheSize || defaultCacheSize;
  const maxTokenBytes = provider.jwtCacheConfig?.jwtMaxTokenSize || defaultMaxTokenBytes;
  const lifetimeMs = durationMs(provider.maxLifetime, 0);
  const plan: JwtProviderPlan = {
    name,
    issuer: provider.issuer,
    audiences: provider.audiences.map(bare),
    matchesSubject: provider.subjects && decodeStringMatcher(provider.subjects, at(path, "subjects"), issues),
    requiresExpiration: provider.requireExpiration,
    maxLifetimeS: lifetimeMs / 1000,
    clockSkewS: provider.clockSkewSeconds || defaultClockSkewS,
    keys: decodeKeys(provider, stats, path, context),
    locations: decodeLocations(provider),
    forwards: provider.forward,
    payloadHeader: headerName(provider.forwardPayloadHeader, at(path, "forward_payload_header"), context),
    padsPayloadHeader: provider.padForwardPayloadHeader,
    claimHeaders: provider.claimToHeaders.map(({ headerName: header, claimName }, i) => {
      const place = `${at(path, "claim_to_headers")}[${i}]`;
      if (header === "") issues.add(at(place, "header_name"), "is empty", "name a header");
      if (claimName === "") issues.add(at(place, "claim_name"), "is empty", "name a claim");
      return {
        header: headerName(header, at(place, "header_name"), context),
        claim: claimName.split("."),
      };
    }),
    payloadMetadata: provider.payloadInMetadata,
    headerMetadata: provider.headerInMetadata,
    failureMetadata: provider.failedStatusInMetadata,
    splitClaims: provider.normalizePayloadInMetadata?.spaceDelimitedClaims ?? [],
    refreshesRoute: provider.clearRouteCache,
  };
  return new JwtProvider(plan, {
    clock: services.clock,
    cache: new TokenCache(cacheSize, maxTokenBytes),
    cacheHits: stats.cacheHits,
    cacheMisses: stats.cacheMisses,
  });
}

function headerName(name: string, path: string, context: DecodeContext): string {
  if (name !== "") refuseProtected(name, path, context);
  return name.toLowerCase();
}

/** The usual places where none are named: `Authorization: Bearer` and `?access_token=`. */
function decodeLocations({ fromHeaders, fromParams, fromCookies }: JwtProviderMessage) {
  if (fromHeaders.length + fromParams.length + fromCookies.length === 0) {
    return {
      headers: [{ name: "authorization", prefix: "Bearer " }],
      parameters: ["access_token"],
      cookies: [],
    };
  }
  return {
    headers: fromHeaders.map(({ name, valuePrefix }) => ({ name: name.toLowerCase(), prefix: valuePrefix })),
    parameters: fromParams,
    cookies: fromCookies,
  };
}

function decodeKeys(
  { jwksSourceSpecifier: source }: JwtProviderMessage,
  stats: JwtAuthnStats,
  path: string,
  context: DecodeContext,
): KeySet | RemoteKeys {
  const { issues } = context;
  switch (source.case) {
    case "localJwks": {
      const place = at(path, "local_jwks");
      const text = readDataSource(source.value, place, issues)?.toString("utf8");
      if (text === undefined) return noKeys;
      try {
        return parseKeySet(text);
      } catch (error) {
        issues.add(place, messageOf(error), "give a JSON Web Key Set with public keys");
        return noKeys;
      }
    }
    case "remoteJwks":
      return decodeRemoteKeys(source.value, stats, at(path, "remote_jwks"), context);
    default:
      issues.add(path, "needs `local_jwks` or `remote_jwks`");
      return noKeys;
  }
}

const defaultCacheMs = 600_000;
const maxRetries = 10;

function decodeRemoteKeys(
  { httpUri, cacheDuration, asyncFetch, retryPolicy }: RemoteJwks,
  stats: JwtAuthnStats,
  path: string,
  context: DecodeContext,
): RemoteKeys {
  const { issues, services } = context;
  const { clock, callouts, random } = services;
  const retries = retryPolicy ? (retryPolicy.numRetries ?? 1) : 0;
  if (retries > maxRetries) {
    issues.add(at(path, "retry_policy.num_retries"), `${retries} is out of range`, `0 to ${maxRetries}`);
  }
  const backoff = retryPolicy?.retryBackOff;
  const baseMs = timeoutMs(backoff?.baseInterval, 1000, at(path, "retry_policy.retry_back_off"), issues);
  const refetchPlace = at(path, "async_fetch.failed_refetch_duration");
  return new RemoteKeys(
    {
      ...decodeHttpUri(httpUri, at(path, "http_uri"), context),
      cacheMs: timeoutMs(cacheDuration, defaultCacheMs, at(path, "cache_duration"), issues),
      refreshesEarly: asyncFetch !== undefined,
      failedRefetchMs: timeoutMs(asyncFetch?.failedRefetchDuration, 1000, refetchPlace, issues),
      retries,
      backoffBaseMs: baseMs,
      backoffMaxMs: durationMs(backoff?.maxInterval, baseMs * 10),
    },
    { clock, callouts, random, fetched: stats.keysFetched, failed: stats.keysFailed },
  );
}
