import { type ActiveHealth, uncheckedHealth } from "../health-check/active-health.ts";
import { type AddressOrder, inTurns, usualOrder } from "../net/address-order.ts";
import { formatAddress, type SocketAddress } from "../net/socket-address.ts";
import type { UpstreamTlsPlan } from "../net/tls-plan.ts";
import type { UpstreamProxyProtocol } from "../net/upstream-proxy-protocol.ts";
import type { Endpoint } from "./cluster.ts";
import type { EndpointPlan, TransportPlan } from "./cluster-plan.ts";
import type { LatencyEstimate } from "./latency-estimate.ts";
import type { RequestCount } from "./success-rate.ts";

/** An endpoint with what this cluster has learned of it. */
export class UpstreamEndpoint implements Endpoint {
  plan: EndpointPlan;
  address: SocketAddress;
  addressText: string;
  turns: readonly SocketAddress[];
  readonly tls: UpstreamTlsPlan | undefined;
  priority = 0;
  readonly proxyProtocol: UpstreamProxyProtocol | undefined;
  activeRequests = 0;
  pool: unknown;
  sessions: Set<{ destroy(): void }> | undefined;

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
    /** Added to the ejection time. */
    jitterMs: 0,
    /** Answers in this interval, and connections and answers that came at all. */
    external: { total: 0, successes: 0 } as RequestCount,
    local: { total: 0, successes: 0 } as RequestCount,
    /** Success in the last interval in percent; -1 says nothing is known. */
    externalRate: -1,
    localRate: -1,
  };
  /** What active health checks have found. */
  readonly activeHealth: ActiveHealth = { ...uncheckedHealth };
  /** Discovery no longer names it; it stays while its checks succeed. */
  isPendingRemoval = false;
  /** Kept where the balancer asks for it. */
  latency: LatencyEstimate | undefined;
  /** When it was first seen healthy, or became so again: where slow start begins. */
  healthySinceMs: number | undefined;
  /** ORIGINAL_DST only: chosen since the last sweep. */
  isFresh = true;

  constructor(plan: EndpointPlan, transport: TransportPlan | undefined, order: AddressOrder = usualOrder) {
    this.plan = plan;
    this.address = plan.address;
    this.addressText = formatAddress(plan.address);
    this.turns = turnsOf(plan, order);
    this.tls = transport?.tls;
    this.proxyProtocol = transport?.proxyProtocol;
  }

  /** What is said of it from now on. Where its name leads elsewhere, connections that are made go there. */
  follow(plan: EndpointPlan, order: AddressOrder): void {
    this.plan = plan;
    this.turns = turnsOf(plan, order);
    if (plan.identity === undefined) return;
    this.address = plan.address;
    this.addressText = formatAddress(plan.address);
  }

  get weight(): number {
    return Math.max(1, this.plan.weight);
  }

  /** Whether it is among those a health checker asks. */
  get isChecked(): boolean {
    return this.plan.healthCheck?.isDisabled !== true;
  }

  /** Left out when endpoints are counted: nothing is known of it yet, or it wants to be. */
  get isExcluded(): boolean {
    return this.activeHealth.isPending || this.activeHealth.isExcluded;
  }

  get health(): "healthy" | "degraded" | "unhealthy" {
    if (this.outlier.isEjected || this.activeHealth.isFailed) return "unhealthy";
    const { health } = this.plan;
    if (health === "healthy") return this.activeHealth.isDegraded ? "degraded" : "healthy";
    return health === "degraded" ? health : "unhealthy";
  }
}

function turnsOf({ address, otherAddresses }: EndpointPlan, order: AddressOrder): readonly SocketAddress[] {
  return otherAddresses ? inTurns([address, ...otherAddresses], order) : one;
}

const one: readonly SocketAddress[] = [];
