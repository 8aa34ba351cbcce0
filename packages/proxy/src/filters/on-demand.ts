import { routeConfigOf } from "../layer/filter-chain.ts";
import type { FilterExchange } from "../layer/filter-exchange.ts";
import type { FilterStatus, HttpFilter } from "../layer/http-filter.ts";
import type { Discovery, DiscoveryOutcome } from "../layer/resource-discovery.ts";
import { ResponseFlag } from "../layer/response-flag.ts";

/** How the cluster of a request is discovered that is not there yet. */
export type DiscoverCluster = (cluster: string, onAnswer: (outcome: DiscoveryOutcome) => void) => Discovery;

/** What a route says of it; undefined of the inner part: nothing is asked for there. */
export interface OnDemandPlan {
  readonly discover: DiscoverCluster | undefined;
}

/**
 * Holds a request while its virtual host, and then its cluster, is asked for.
 * Whatever the answer is the request goes on then: what is still missing is for
 * the router to say. Only where nobody answers whether there is a virtual host,
 * it ends here: it must not go where it would if there were none.
 *
 * @see envoy.extensions.filters.http.on_demand.v3.OnDemand
 */
export function createOnDemandFilter(plan: OnDemandPlan, name: string): HttpFilter {
  return {
    name,
    onRequest(exchange) {
      if (exchange.match) return awaitCluster(exchange);
      const hosts = exchange.plan?.routes.current?.onDemand;
      const wanted = hosts?.wantedFor(exchange.request!);
      if (wanted === undefined) return "continue";
      return hold(
        exchange,
        (onAnswer) => hosts!.discover(wanted, onAnswer),
        (outcome) => {
          if (outcome === "timeout") {
            exchange.reply(503, "", "virtual_host_discovery_timeout", ResponseFlag.NoRouteFound);
            return "stop";
          }
          exchange.adoptRoute(name);
          return awaitCluster(exchange);
        },
      );
    },
    onComplete(exchange) {
      const discovery = exchange.filterState?.get(name) as Discovery | undefined;
      if (!discovery) return;
      exchange.filterState!.delete(name);
      discovery.cancel();
    },
  };

  function awaitCluster(exchange: FilterExchange): FilterStatus {
    const { cluster, clusterChoice } = exchange;
    if (cluster || !clusterChoice) return "continue";
    const { discover } = routeConfigOf<OnDemandPlan>(exchange, name) ?? plan;
    if (!discover) return "continue";
    return hold(
      exchange,
      (onAnswer) => discover(clusterChoice.cluster, onAnswer),
      () => "continue",
    );
  }

  /** Answers as `then` does, at once or, having stopped the request, when the answer comes. */
  function hold(
    exchange: FilterExchange,
    ask: (onAnswer: (outcome: DiscoveryOutcome) => void) => Discovery,
    then: (outcome: DiscoveryOutcome) => FilterStatus,
  ): FilterStatus {
    let state: "asking" | "held" | DiscoveryOutcome = "asking";
    const discovery = ask((outcome) => {
      const isHeld = state === "held";
      state = outcome;
      if (!isHeld) return;
      exchange.filterState!.delete(name);
      if (then(outcome) === "continue") exchange.resume();
    });
    const now = state as "asking" | DiscoveryOutcome;
    if (now !== "asking") return then(now);
    state = "held";
    exchange.filterState ??= new Map();
    exchange.filterState.set(name, discovery);
    return "stop";
  }
}
