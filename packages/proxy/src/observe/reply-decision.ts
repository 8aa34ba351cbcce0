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

const nothing: ReplyDecision = { by: "", origin: "" };

/**
 * Which rule decided about an answer that was made here; undefined for answers
 * that came from elsewhere. Found when it is asked for: requests pay nothing.
 */
export function decisionOf(exchange: Observable): ReplyDecision | undefined {
  if (!exchange.isLocalReply || !(exchange instanceof ExchangeRecord)) return undefined;
  const { details, flags, match, cluster, service } = exchange;
  const policy = /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(details)?.[1];
  if (policy === "none") return { by: "no ALLOW policy is for it", origin: "" };
  if (policy !== undefined)
    return { by: `policy ${policy}`, origin: service.policyOrigins.get(policy) ?? "" };
  if (details.startsWith("jwt_authn_access_denied")) return { by: "request authentication", origin: "" };
  if (details.startsWith("ext_authz")) return { by: "external authorization", origin: "" };
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
