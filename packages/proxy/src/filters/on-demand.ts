import type { Discovery } from "../cluster/cluster-discovery.ts";
import { routeConfigOf } from "../layer/filter-chain.ts";
import type { HttpFilter } from "../layer/http-filter.ts";

/** How the cluster of a request is discovered that is not there yet. */
export type DiscoverCluster = (cluster: string, onAnswer: () => void) => Discovery;

/** What a route says of it; undefined of the inner part: nothing is asked for there. */
export interface OnDemandPlan {
  readonly discover: DiscoverCluster | undefined;
}

/**
 * Holds a request whose cluster is not there while it is asked for. Whatever the
 * answer is the request goes on then: a cluster that is still missing is for the
 * router to say.
 *
 * @see envoy.extensions.filters.http.on_demand.v3.OnDemand
 */
export function createOnDemandFilter(plan: OnDemandPlan, name: string): HttpFilter {
  return {
    name,
    onRequest(exchange) {
      const { cluster, clusterChoice } = exchange;
      if (cluster || !clusterChoice) return "continue";
      const { discover } = routeConfigOf<OnDemandPlan>(exchange, name) ?? plan;
      if (!discover) return "continue";
      let state: "asking" | "answered" | "waiting" = "asking";
      const discovery = discover(clusterChoice.cluster, () => {
        const isLate = state === "waiting";
        state = "answered";
        if (isLate) exchange.resume();
      });
      if ((state as string) === "answered") return "continue";
      state = "waiting";
      exchange.filterState ??= new Map();
      exchange.filterState.set(name, discovery);
      return "stop";
    },
    onComplete(exchange) {
      const discovery = exchange.filterState?.get(name) as Discovery | undefined;
      if (!discovery) return;
      exchange.filterState!.delete(name);
      discovery.cancel();
    },
  };
}
