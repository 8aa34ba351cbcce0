import type { ClusterStats } from "../cluster/cluster.ts";
import type { KeptBody } from "../layer/exchange-owner.ts";
import type { HttpExchange } from "../layer/http-exchange.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import { RedirectTrail } from "../layer/redirect-trail.ts";
import type { HttpStats } from "../listener/downstream-stats.ts";
import type { InternalRedirectPlan } from "../route/internal-redirect-plan.ts";
import type { RouteMatch } from "../route/route-plan.ts";
import type { RequestBody } from "./request-body.ts";

/** An absolute URL; what comes after `#` is the client's business. */
const absoluteUrl = /^(https?):\/\/([^/?#\s]+)([/?][^#\s]*)?(?:#.*)?$/i;
const bodilessMethods: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** Why a redirect is passed on, by the counter that says so. */
type Refusal =
  | "redirectBadLocation"
  | "redirectUnsafeScheme"
  | "redirectTooMany"
  | "redirectNoRoute"
  | "redirectPredicate";

const noBody: KeptBody = { chunks: [], trailers: undefined };

/**
 * Changes a request to the one that its answer redirects to, and gives the body
 * that goes along. Undefined where it was not received and kept whole, or the
 * policy does not let the proxy follow it: then it is as it was, and the answer
 * is the client's.
 *
 * @see envoy.config.route.v3.InternalRedirectPolicy
 */
export function followRedirect(
  exchange: HttpExchange,
  plan: InternalRedirectPlan,
  answer: ResponseHead,
  body: RequestBody,
  stats: ClusterStats,
): KeptBody | undefined {
  const isWhole = exchange.isRequestDone && body.isComplete && body.isReplayable;
  const location = isWhole ? answer.headers.get("location") : undefined;
  const keepsBody = location === undefined ? undefined : changeRequest(exchange, plan, answer, location);
  if (keepsBody === undefined) {
    stats.redirectsPassed.value += 1;
    return undefined;
  }
  stats.redirectsFollowed.value += 1;
  return keepsBody ? body : noBody;
}

/** Whether the body goes along; undefined where the redirect is not followed. */
function changeRequest(
  exchange: HttpExchange,
  plan: InternalRedirectPlan,
  answer: ResponseHead,
  location: string,
): boolean | undefined {
  const request = exchange.request!;
  const { service } = exchange;
  const [, scheme, authority, path] = absoluteUrl.exec(location) ?? [];
  if (scheme === undefined || authority === undefined) return refuse(service.stats, "redirectBadLocation");
  const isSecure = request.scheme === "https";
  const isTargetSecure = scheme.toLowerCase() === "https";
  if (isSecure !== isTargetSecure && !plan.allowsCrossScheme)
    return refuse(service.stats, "redirectUnsafeScheme");
  const trail = exchange.redirects ?? new RedirectTrail();
  if (trail.count >= plan.maxRedirects) return refuse(service.stats, "redirectTooMany");

  const before = savedHead(request);
  const original = `${request.scheme}://${request.authority}${request.path}`;
  copyFields(request, plan.copiedFields, answer);
  request.scheme = isTargetSecure ? "https" : "http";
  request.authority = authority;
  request.path = path === undefined ? "/" : path.startsWith("/") ? path : `/${path}`;
  const random = service.context.random();
  const match = exchange.plan.routes.current?.match(request, random, exchange);
  const refusal = !match
    ? "redirectNoRoute"
    : accepts(plan, trail, exchange.match!, match, isSecure || !isTargetSecure)
      ? undefined
      : "redirectPredicate";
  if (refusal) {
    restore(request, before);
    return refuse(service.stats, refusal);
  }
  const keepsBody = answer.status !== 303 || bodilessMethods.has(request.method);
  if (!keepsBody) {
    request.method = "GET";
    request.headers.remove("content-length");
  }
  request.headers.set("x-envoy-original-url", original);
  trail.count += 1;
  exchange.redirects = trail;
  return keepsBody;
}

function refuse(stats: HttpStats, refusal: Refusal): undefined {
  stats[refusal].value += 1;
  return undefined;
}

function accepts(
  { predicates }: InternalRedirectPlan,
  trail: RedirectTrail,
  from: RouteMatch,
  to: RouteMatch,
  isSafe: boolean,
): boolean {
  for (const predicate of predicates) {
    if (predicate.kind === "previous-routes" && !trail.take(from.route.name, to.route.name)) return false;
    if (predicate.kind === "allowed-routes" && !predicate.names.has(to.route.name)) return false;
    if (predicate.kind === "safe-cross-scheme" && !isSafe) return false;
  }
  return true;
}

function copyFields(request: RequestHead, names: readonly string[], answer: ResponseHead): void {
  for (const name of names) {
    request.headers.remove(name);
    const { flat } = answer.headers;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] === name) request.headers.append(name, flat[i + 1]!);
    }
  }
}

type SavedHead = Pick<RequestHead, "scheme" | "authority" | "path"> & { readonly flat: readonly string[] };

function savedHead({ scheme, authority, path, headers }: RequestHead): SavedHead {
  return { scheme, authority, path, flat: headers.flat.slice() };
}

function restore(request: RequestHead, { scheme, authority, path, flat }: SavedHead): void {
  request.scheme = scheme;
  request.authority = authority;
  request.path = path;
  request.headers.removeWhere(() => true);
  for (let i = 0; i < flat.length; i += 2) request.headers.append(flat[i]!, flat[i + 1]!);
}
