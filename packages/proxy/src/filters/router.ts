import type { ClusterDirectory } from "../cluster/cluster.ts";
import type { Forwarder, UpstreamCall } from "../layer/forwarder.ts";
import { HeaderList } from "../layer/header-list.ts";
import type { HttpExchange } from "../layer/http-exchange.ts";
import { renderBody } from "../layer/map-local-reply.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { DirectResponseAction, ForwardAction, RedirectAction } from "../route/route-plan.ts";
import { replyInstead } from "./forwarded-heads.ts";
import { streamDurationMs } from "./grpc-timeout.ts";
import { RouterCall } from "./router-call.ts";
import type { RouterPlan } from "./router-plan.ts";

const nothing = Buffer.alloc(0);

/**
 * The end of every filter chain: turns the matched route into a redirect, a
 * direct response or a call to a cluster.
 *
 * @see envoy.extensions.filters.http.router.v3.Router
 */
export class Router implements Forwarder {
  readonly #clusters: ClusterDirectory;
  readonly #pools: PoolContext;

  constructor(clusters: ClusterDirectory, pools: PoolContext) {
    this.#clusters = clusters;
    this.#pools = pools;
  }

  choose(exchange: HttpExchange, action: ForwardAction): void {
    const choice = action.selectCluster(exchange.request!, exchange.service.context.random(), exchange);
    const { streamDuration } = action;
    const { maxStreamDurationMs } = exchange.plan;
    exchange.limitDuration(
      streamDuration
        ? streamDurationMs(streamDuration, exchange.request!, maxStreamDurationMs)
        : maxStreamDurationMs,
    );
    const { filterConfigs } = choice;
    if (filterConfigs) {
      const { virtualHost, route } = exchange.match!;
      exchange.match = { virtualHost, route: { ...route, filterConfigs } };
    }
    exchange.clusterChoice = choice;
    exchange.cluster = this.#clusters.get(choice.cluster);
  }

  forward(exchange: HttpExchange, plan: RouterPlan): UpstreamCall | undefined {
    const { match } = exchange;
    exchange.service.stats.routedTotal.value += 1;
    if (!match) {
      exchange.service.stats.noRoute.value += 1;
      exchange.reply(404, "", "route_not_found", ResponseFlag.NoRouteFound);
      return undefined;
    }
    const { upgrade } = exchange.request!;
    if (upgrade !== "" && !isUpgradeAllowed(exchange, upgrade)) {
      exchange.service.stats.rqWsOnNonWsRoute.value += 1;
      exchange.replyWith(403, nothing, "upgrade_failed", 0, ["connection", "close"]);
      return undefined;
    }
    const { action } = match.route;
    switch (action.kind) {
      case "redirect":
        redirect(exchange, action);
        return undefined;
      case "direct-response":
        respondDirectly(exchange, action);
        return undefined;
      case "forward":
        return this.#call(exchange, action, plan);
    }
  }

  #call(exchange: HttpExchange, action: ForwardAction, plan: RouterPlan): UpstreamCall | undefined {
    const choice = exchange.clusterChoice!;
    // Looked for again: a filter may have held the request while clusters changed.
    const cluster = this.#clusters.get(choice.cluster);
    exchange.cluster = cluster;
    if (!cluster) {
      exchange.service.stats.noCluster.value += 1;
      const flag = ResponseFlag.NoClusterFound;
      replyInstead(exchange, action.clusterNotFoundStatus, "", "cluster_not_found", flag);
      return undefined;
    }
    const call = new RouterCall(
      exchange,
      { action, choice, plan, clusters: this.#clusters, pools: this.#pools },
      cluster,
    );
    call.start();
    return call;
  }
}

/** What the route says of a protocol counts; what it does not mention, the connection manager decides. */
export function isUpgradeAllowed(exchange: HttpExchange, upgrade: string): boolean {
  const action = exchange.match?.route.action;
  const own = action?.kind === "forward" ? action.upgrades.get(upgrade) : undefined;
  return own ?? exchange.plan.upgrades.get(upgrade) ?? false;
}

function redirect(exchange: HttpExchange, action: RedirectAction): void {
  exchange.service.stats.rqRedirect.value += 1;
  const location = action.location(exchange.request!);
  exchange.replyWith(action.status, nothing, "direct_response", 0, ["location", location]);
}

function respondDirectly(exchange: HttpExchange, action: DirectResponseAction): void {
  exchange.service.stats.rqDirectResponse.value += 1;
  const { status, body = nothing, format } = action;
  const headers = new HeaderList();
  const made = format ? renderBody(format, exchange, headers, body) : body;
  exchange.replyWith(status, made, "direct_response", 0, headers.flat);
}
