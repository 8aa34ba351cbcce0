import { Http1Pool } from "../http1/pool.ts";
import { Http2Pool } from "../http2/pool.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import { TunnelPool } from "../layer/tunnel-pool.ts";
import type { UpstreamPool } from "../layer/upstream-pool.ts";
import type { Cluster, Endpoint } from "./cluster.ts";

/** The connections to one endpoint: a cluster may speak either protocol to it, as its clients do. */
interface EndpointPools {
  http1: UpstreamPool | undefined;
  http2: UpstreamPool | undefined;
  tunnel: UpstreamPool | undefined;
}

/** The pool of an endpoint for requests that arrived by `protocol`, made on first use; `tunnel` for CONNECT that ends here. */
export function poolOf(
  endpoint: Endpoint,
  cluster: Cluster,
  protocol: string,
  context: PoolContext,
): UpstreamPool {
  endpoint.pool ??= { http1: undefined, http2: undefined, tunnel: undefined } satisfies EndpointPools;
  const pools = endpoint.pool as EndpointPools;
  if (protocol === "tunnel") {
    pools.tunnel ??= new TunnelPool(endpoint, cluster, context);
    return pools.tunnel;
  }
  const spoken = cluster.plan.protocol;
  if (spoken === "http2" || (spoken === "downstream" && protocol === "HTTP/2")) {
    pools.http2 ??= new Http2Pool(endpoint, cluster, context);
    return pools.http2;
  }
  pools.http1 ??= new Http1Pool(endpoint, cluster, context);
  return pools.http1;
}

/** For `Cluster.onEndpointRemoved`: idle connections close now, busy ones after their exchange. */
export function drainEndpoint(endpoint: Endpoint): void {
  const pools = endpoint.pool as EndpointPools | undefined;
  pools?.http1?.drain();
  pools?.http2?.drain();
}

/** For `UpstreamCluster.onEndpointFailed`: as `drainEndpoint`, TCP ends at once, and who comes later gets other connections. */
export function retireEndpointPools(endpoint: Endpoint): void {
  drainEndpoint(endpoint);
  endpoint.pool = undefined;
  for (const session of endpoint.sessions ?? []) session.destroy();
}
