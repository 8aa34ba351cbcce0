import { formatAddress, type SocketAddress } from "../net/socket-address.ts";
import type { UpstreamTlsPlan } from "../net/tls-plan.ts";
import type { Endpoint } from "./cluster.ts";
import type { EndpointPlan } from "./cluster-plan.ts";
import type { LatencyEstimate } from "./peak-ewma.ts";

/** An endpoint with what this cluster has learned of it. */
export class UpstreamEndpoint implements Endpoint {
  plan: EndpointPlan;
  readonly address: SocketAddress;
  readonly addressText: string;
  readonly tls: UpstreamTlsPlan | undefined;
  priority = 0;
  activeRequests = 0;
  pool: unknown;

  /** Outlier detection's memory. */
  readonly outlier = {
    consecutive5xx: 0,
    consecutiveGatewayFailure: 0,
    consecutiveLocalOriginFailure: 0,
    isEjected: false,
    ejectedAtMs: 0,
    releasedAtMs: 0,
    /** How many times the ejection time has grown. */
    backoff: 0,
  };
  /** Kept where the balancer asks for it. */
  latency: LatencyEstimate | undefined;
  /** When it was first seen healthy, or became so again: where slow start begins. */
  healthySinceMs: number | undefined;
  /** ORIGINAL_DST only: chosen since the last sweep. */
  isFresh = true;

  constructor(plan: EndpointPlan, tls: UpstreamTlsPlan | undefined) {
    this.plan = plan;
    this.address = plan.address;
    this.addressText = formatAddress(plan.address);
    this.tls = tls;
  }

  get weight(): number {
    return Math.max(1, this.plan.weight);
  }

  get health(): "healthy" | "degraded" | "unhealthy" {
    if (this.outlier.isEjected) return "unhealthy";
    const { health } = this.plan;
    return health === "healthy" || health === "degraded" ? health : "unhealthy";
  }
}
