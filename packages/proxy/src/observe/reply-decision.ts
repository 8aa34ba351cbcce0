import { refusingProviderState } from "../filters/jwt/jwt-authn.ts";
import { ExchangeRecord } from "../layer/exchange-record.ts";
import { formatResponseFlags, ResponseFlag } from "../layer/response-flag.ts";
import type { RouteMatch } from "../route/route-plan.ts";
import type { Observable } from "./observation.ts";

/** What decided that a proxy answered by itself. */
export interface ReplyDecision {
  /** In words: `policy ns[default]-policy[x]-rule[0]`, `route default`, `cluster …`; "" where it was no configuration. */
  readonly by: string;
  /** Where that was written, `file:line:column`; "" where it was not, and a default holds. */
  readonly origin: string;
}

/** Failures that endpoints and the settings for reaching them make. */
const clusterFlags =
  ResponseFlag.NoHealthyUpstream |
  ResponseFlag.UpstreamOverflow |
  ResponseFlag.UpstreamConnectionFailure |
  ResponseFlag.UpstreamConnectionTermination |
  ResponseFlag.UpstreamRemoteReset |
  ResponseFlag.UpstreamProtocolError;

const limitFlags = ResponseFlag.RateLimited | ResponseFlag.RateLimitServiceError;

const nothing: ReplyDecision = { by: "", origin: "" };

/**
 * Which rule decided about an answer that was made here; undefined for answers
 * that came from elsewhere. Found when it is asked for: requests pay nothing.
 */
export function decisionOf(exchange: Observable): ReplyDecision | undefined {
  if (!exchange.isLocalReply || !(exchange instanceof ExchangeRecord)) return undefined;
  const { details, flags, match, cluster } = exchange;
  const policy = /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(details)?.[1];
  if (policy === "none") return { by: "no ALLOW policy is for it", origin: "" };
  if (policy !== undefined) return { by: `policy ${policy}`, origin: originOf(policy, exchange) };
  if (details.startsWith("jwt_authn_access_denied")) return refusedToken(exchange);
  if (details.startsWith("ext_authz")) return refusedElsewhere(exchange);
  if (details === "overload") return { by: "overload: the overload manager stops requests", origin: "" };
  if ((flags & limitFlags) !== 0) return limited(exchange);
  if ((flags & ResponseFlag.NoRouteFound) !== 0) return missingRoute(exchange);
  const origin = match?.route.origin ?? "";
  if ((flags & ResponseFlag.NoClusterFound) !== 0) {
    const wanted = exchange.clusterChoice?.cluster ?? "";
    return { by: `${titleOf(match)}, to a cluster that is not there: ${wanted}`, origin };
  }
  if (cluster && (flags & clusterFlags) !== 0) {
    return { by: `cluster ${cluster.name}`, origin: cluster.plan.origin ?? "" };
  }
  return match ? { by: titleOf(match), origin } : nothing;
}

/** The rule that a name in xDS begins or ends with, where it has one of ours: others stand around it. */
function ruleOf(name: string): string | undefined {
  return /ns\[[^\]]*\]-[a-z]+\[[^\]]*\]-rule\[\d+\]/.exec(name)?.[0];
}

function originOf(name: string, { service: { policyOrigins } }: ExchangeRecord): string {
  return policyOrigins.get(name) ?? policyOrigins.get(ruleOf(name) ?? "") ?? "";
}

function refusedToken(exchange: ExchangeRecord): ReplyDecision {
  const provider = exchange.filterState?.get(refusingProviderState);
  if (typeof provider !== "string" || provider === "") return { by: "request authentication", origin: "" };
  return { by: `request authentication ${provider}`, origin: originOf(provider, exchange) };
}

/** By a service that was asked because of a policy, which the evaluation before it has left behind, or by the route. */
function refusedElsewhere(exchange: ExchangeRecord): ReplyDecision {
  const by = "external authorization";
  for (const [key, value] of exchange.dynamicMetadata?.get(rbacMetadataName) ?? []) {
    if (!key.endsWith("shadow_effective_policy_id") || typeof value !== "string") continue;
    const policy = ruleOf(value);
    if (policy !== undefined && value.startsWith(askedPrefix)) {
      return { by: `${by}, asked by policy ${policy}`, origin: originOf(policy, exchange) };
    }
  }
  const { match } = exchange;
  const asksByRoute = match?.route.filterConfigs?.keys().some((name) => name.startsWith(routeAuthorization));
  return asksByRoute
    ? { by: `${by}, asked by ${titleOf(match)}`, origin: match?.route.origin ?? "" }
    : { by, origin: "" };
}

/** How filters are named that are asked by routes alone. */
const routeAuthorization = "envoy.filters.http.ext_authz.route.";
const rbacMetadataName = "envoy.filters.http.rbac";
/** Of policies that only say whom to ask. */
const askedPrefix = "istio-ext-authz-";

/** By what the request's route says of rates, or by its listener for all of them. */
function limited({ match, service, details }: ExchangeRecord): ReplyDecision {
  const what = details === "local_rate_limited" ? "a local rate limit" : "a rate limit";
  return {
    by: `${what}, at ${match ? titleOf(match) : `listener ${service.listener}`}`,
    origin: match?.route.origin ?? "",
  };
}

function titleOf(match: RouteMatch | undefined): string {
  if (!match) return "a route";
  const { route, virtualHost } = match;
  return route.name === "" ? `a route of ${virtualHost.name}` : `route ${route.name}`;
}

/** The routes that did not match are in the table still. */
function missingRoute({ plan, request }: ExchangeRecord): ReplyDecision {
  if (!request) return nothing;
  const { virtualHost, misses } = plan.routes.current?.trace(request, 0) ?? {};
  if (!virtualHost) return { by: `no virtual host is for ${request.authority}`, origin: "" };
  const origin = misses?.findLast(({ route }) => route.origin !== undefined)?.route.origin ?? "";
  return { by: `no route of ${virtualHost.name} matches`, origin };
}

/** Flags, details, what decided and where it was written, in one line of visible ASCII: for a field or a log. */
export function decisionText({ flags, details }: Observable, { by, origin }: ReplyDecision): string {
  const what = [flags === 0 ? "" : formatResponseFlags(flags), details].filter(Boolean).join(" ");
  const text = [what, by, origin].filter(Boolean).join("; ");
  return text.slice(0, maxTextLength).replace(/[^\x20-\x7e]/g, "?");
}

const maxTextLength = 1_024;
