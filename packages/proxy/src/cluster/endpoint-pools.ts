import { Http1Pool } from "../http1/pool.ts";
import { Http2Pool } from "../http2/pool.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import { TunnelPool } from "../layer/tunnel-pool.ts";
import type { UpstreamPool } from "../layer/upstream-pool.ts";
import { type ProxiedClient, proxyHeaderFor, proxyHeaderForItself } from "../net/upstream-proxy-protocol.ts";
import type { Cluster, Endpoint } from "./cluster.ts";
import { NegotiatedPool } from "./negotiated-pool.ts";

/** The connections to one endpoint: a cluster may speak either protocol to it, as its clients do. */
interface EndpointPools {
  http1: UpstreamPool | undefined;
  http2: UpstreamPool | undefined;
  negotiated: UpstreamPool | undefined;
  tunnel: UpstreamPool | undefined;
}

/**
 * The pool of an endpoint for requests that arrived by `protocol`, made on first
 * use; `tunnel` for CONNECT that ends here. An endpoint that wants a PROXY
 * header gets a pool for each request: what its connection says of a client must
 * not be said of another. Without a `client` the request is the proxy's own.
 */
export function poolOf(
  endpoint: Endpoint,
  cluster: Cluster,
  protocol: string,
  context: PoolContext,
  client: ProxiedClient | undefined,
): UpstreamPool {
  const { proxyProtocol } = endpoint;
  if (proxyProtocol) {
    const preface = client ? proxyHeaderFor(proxyProtocol, client) : proxyHeaderForItself(proxyProtocol);
    const own = { ...context, preface };
    return makePool(kindOf(cluster, protocol), endpoint, cluster, own);
  }
  endpoint.pool ??= {
    http1: undefined,
    http2: undefined,
    negotiated: undefined,
    tunnel: undefined,
  } satisfies EndpointPools;
  const pools = endpoint.pool as EndpointPools;
  const kind = kindOf(cluster, protocol);
  pools[kind] ??= makePool(kind, endpoint, cluster, context);
  return pools[kind];
}

function kindOf({ plan }: Cluster, protocol: string): keyof EndpointPools {
  if (protocol === "tunnel") return "tunnel";
  if (plan.protocol === "negotiated") return "negotiated";
  const isHttp2 = plan.protocol === "http2" || (plan.protocol === "downstream" && protocol === "HTTP/2");
  return isHttp2 ? "http2" : "http1";
}

function makePool(
  kind: keyof EndpointPools,
  endpoint: Endpoint,
  cluster: Cluster,
  context: PoolContext,
): UpstreamPool {
  switch (kind) {
    case "http1":
      return new Http1Pool(endpoint, cluster, context);
    case "http2":
      return new Http2Pool(endpoint, cluster, context);
    case "negotiated":
      return new NegotiatedPool(endpoint, cluster, context);
    case "tunnel":
      return new TunnelPool(endpoint, cluster, context);
  }
}

/** For `Cluster.onEndpointRemoved`: idle connections close now, busy ones after their exchange. */
export function drainEndpoint(endpoint: Endpoint): void {
  const pools = endpoint.pool as EndpointPools | undefined;
  pools?.http1?.drain();
  pools?.http2?.drain();
  pools?.negotiated?.drain();
}

/** For `UpstreamCluster.onEndpointFailed`: as `drainEndpoint`, TCP ends at once, and who comes later gets other connections. */
export function retireEndpointPools(endpoint: Endpoint): void {
  drainEndpoint(endpoint);
  endpoint.pool = undefined;
  for (const session of endpoint.sessions ?? []) session.destroy();
}
