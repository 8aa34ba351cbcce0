import type { Cluster, ClusterDirectory, Endpoint } from "../cluster/cluster.ts";
import { poolOf } from "../cluster/endpoint-pools.ts";
import type { HttpExchange } from "../layer/http-exchange.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import type { UpstreamPool } from "../layer/upstream-pool.ts";
import type { ClusterChoice, ForwardAction } from "../route/route-plan.ts";
import type { RouterPlan } from "./router-plan.ts";

/** Where a request goes, and by which rules. */
export interface CallTarget {
  readonly action: ForwardAction;
  readonly choice: ClusterChoice;
  readonly plan: RouterPlan;
  readonly clusters: ClusterDirectory;
  readonly pools: PoolContext;
}

/** Where a connection to the endpoint comes from that can carry this exchange. */
export function poolFor(
  exchange: HttpExchange,
  { action, pools }: CallTarget,
  cluster: Cluster,
  endpoint: Endpoint,
): UpstreamPool {
  const endsHere = exchange.request!.upgrade === "connect" && action.terminatesConnect;
  const protocol = endsHere ? "tunnel" : exchange.protocol;
  return poolOf(endpoint, cluster, protocol, pools, exchange.connection);
}
