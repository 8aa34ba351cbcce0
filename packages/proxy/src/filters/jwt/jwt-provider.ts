import type { Clock } from "@weft/base/clock";
import type { Counter } from "@weft/base/metric-registry";
import type { MetadataValue } from "../../layer/dynamic-metadata.ts";
import type { FilterExchange } from "../../layer/filter-exchange.ts";
import type { HeaderList } from "../../layer/header-list.ts";
import { claimText, normalizeClaims, valueOfClaim } from "./claims.ts";
import { type KeySet, verifySignature } from "./json-web-key-set.ts";
import { type JsonObject, type JsonWebToken, parseJwt } from "./json-web-token.ts";
import { type JwtFailure, jwtFailures } from "./jwt-failure.ts";
import type { RemoteKeys } from "./remote-keys.ts";
import type { TokenCache } from "./token-cache.ts";
import type { FoundToken, TokenLocations } from "./token-location.ts";

/** One issuer of tokens. @see envoy.extensions.filters.http.jwt_authn.v3.JwtProvider */
export interface JwtProviderPlan {
  readonly name: string;
  /** "" takes any issuer. */
  readonly issuer: string;
  /** Empty takes any audience. */
  readonly audiences: readonly string[];
  readonly matchesSubject: ((subject: string) => boolean) | undefined;
  readonly requiresExpiration: boolean;
  /** 0 is without limit. */
  readonly maxLifetimeS: number;
  readonly clockSkewS: number;
  readonly keys: KeySet | RemoteKeys;
  readonly locations: TokenLocations;
  /** Whether the token stays in the request. */
  readonly forwards: boolean;
  /** Lower case; "" forwards none. */
  readonly payloadHeader: string;
  readonly padsPayloadHeader: boolean;
  readonly claimHeaders: readonly { readonly header: string; readonly claim: readonly string[] }[];
  readonly payloadMetadata: string;
  readonly headerMetadata: string;
  readonly failureMetadata: string;
  /** Claims whose text is split at blanks in metadata. */
  readonly splitClaims: readonly string[];
  readonly refreshesRoute: boolean;
}

export interface JwtProviderDependencies {
  readonly clock: Clock;
  readonly cache: TokenCache;
  readonly cacheHits: Counter;
  readonly cacheMisses: Counter;
}

/** What a request's verification collects on its way. */
export interface VerificationContext {
  readonly exchange: FilterExchange;
  /** For the filter's dynamic metadata. */
  readonly metadata: Map<string, MetadataValue>;
  mustRefreshRoute: boolean;
  /** The provider whose token was bad or missing; "" while none was. */
  refusedBy: string;
  /** The exchange ended meanwhile. */
  isCancelled: boolean;
}

/** Verifies tokens of one issuer and makes their claims known. */
export class JwtProvider {
  readonly plan: JwtProviderPlan;
  readonly #deps: JwtProviderDependencies;

  constructor(plan: JwtProviderPlan, deps: JwtProviderDependencies) {
    this.plan = plan;
    this.#deps = deps;
    if ("onChange" in plan.keys) plan.keys.onChange = () => deps.cache.clear();
  }

  /** Fields only this filter may set are taken out of what the client sent. */
  sanitize(headers: HeaderList): void {
    if (this.plan.payloadHeader !== "") headers.remove(this.plan.payloadHeader);
    for (const { header } of this.plan.claimHeaders) headers.remove(header);
  }

  /** Calls `onDone` once, at once unless keys have to be fetched; with undefined when the token is good. */
  verify(
    found: FoundToken,
    audiences: readonly string[] | undefined,
    context: VerificationContext,
    onDone: (failure: JwtFailure | undefined) => void,
  ): void {
    const { cache, cacheHits, cacheMisses } = this.#deps;
    const known = cache.get(found.text);
    (known ? cacheHits : cacheMisses).add();
    const parsed = known ? { token: known } : parseJwt(found.text);
    if (!parsed.token) {
      onDone(parsed.failure);
      return;
    }
    const { token } = parsed;
    const refusal = this.#judge(token, audiences);
    if (refusal) {
      if (refusal === jwtFailures.expired) cache.remove(found.text);
      onDone(refusal);
      return;
    }
    if (known) {
      this.#accept(token, found, context);
      onDone(undefined);
      return;
    }
    const finish = (keys: KeySet | undefined) => {
      if (context.isCancelled) return;
      const failure = keys ? verifySignature(token, keys) : jwtFailures.fetch;
      if (!failure) {
        cache.add(found.text, token);
        this.#accept(token, found, context);
      }
      onDone(failure);
    };
    const { keys } = this.plan;
    if (!("fetch" in keys)) finish(keys);
    else {
      const current = keys.current;
      if (current) finish(current);
      else keys.fetch(finish);
    }
  }

  /** Everything but the signature: cheap, so it comes first. */
  #judge(token: JsonWebToken, audiences: readonly string[] | undefined): JwtFailure | undefined {
    const { plan } = this;
    if (plan.issuer !== "" && token.issuer !== plan.issuer) return jwtFailures.unknownIssuer;
    const nowS = Math.floor(this.#deps.clock.now() / 1000);
    if (nowS + plan.clockSkewS < token.notBeforeS) return jwtFailures.notYetValid;
    if (token.expiresAtS !== 0 && nowS > token.expiresAtS + plan.clockSkewS) return jwtFailures.expired;
    if (plan.requiresExpiration && token.expiresAtS === 0) return jwtFailures.verification;
    if (plan.maxLifetimeS > 0 && !livesAtMost(token, plan.maxLifetimeS, nowS))
      return jwtFailures.verification;
    if (plan.matchesSubject && !plan.matchesSubject(token.subject)) return jwtFailures.verification;
    const allowed = audiences ?? plan.audiences;
    if (allowed.length > 0 && !token.audiences.some((one) => allowed.includes(bare(one)))) {
      return jwtFailures.audienceNotAllowed;
    }
    return undefined;
  }

  #accept(token: JsonWebToken, found: FoundToken, context: VerificationContext): void {
    const { plan } = this;
    const request = context.exchange.request!;
    if (plan.payloadHeader !== "") {
      const padding = plan.padsPayloadHeader ? "=".repeat((4 - (token.payloadText.length % 4)) % 4) : "";
      request.headers.append(plan.payloadHeader, `${token.payloadText}${padding}`);
    }
    for (const { header, claim } of plan.claimHeaders) {
      const text = claimText(valueOfClaim(token.payload, claim));
      if (text !== "") request.headers.append(header, text);
    }
    if (!plan.forwards) found.remove(request);
    if (plan.headerMetadata !== "") context.metadata.set(plan.headerMetadata, token.header);
    if (plan.payloadMetadata !== "") {
      const payload: JsonObject = normalizeClaims(token.payload, plan.splitClaims);
      context.metadata.set(plan.payloadMetadata, payload);
    }
    if (plan.refreshesRoute) context.mustRefreshRoute = true;
  }
}

/** A configured audience may be written with scheme and slash where tokens have it without, and the other way round. */
export function bare(audience: string): string {
  const text = audience.replace(/^https?:\/\//, "");
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

/** From its issue, or else from now. A token that does not say when it ends lives for ever. */
function livesAtMost({ expiresAtS, issuedAtS }: JsonWebToken, maxS: number, nowS: number): boolean {
  if (expiresAtS === 0) return false;
  return expiresAtS - (issuedAtS || nowS) <= maxS;
}
