import type { Clock } from "@weft/base/clock";
import type { HealthCheckConfig, TransportPlan } from "../cluster/cluster-plan.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { UpstreamTlsPlan } from "../net/tls-plan.ts";
import { proxyHeaderForItself, type UpstreamProxyProtocol } from "../net/upstream-proxy-protocol.ts";
import type { ActiveHealth } from "./active-health.ts";
import type { HealthCheckPlan, ProbeTarget } from "./health-check-plan.ts";
import { HealthCheckSession } from "./health-check-session.ts";
import type { HealthCheckStats } from "./health-check-stats.ts";
import type { ProbeFactory } from "./probe-factory.ts";

/** An endpoint as its checks see it. */
export interface CheckedEndpoint {
  readonly address: SocketAddress;
  readonly turns: readonly SocketAddress[];
  readonly tls: UpstreamTlsPlan | undefined;
  readonly proxyProtocol?: UpstreamProxyProtocol | undefined;
  readonly activeHealth: ActiveHealth;
  readonly plan: { readonly healthCheck?: HealthCheckConfig | undefined };
}

export interface HealthCheckerOptions {
  readonly plan: HealthCheckPlan;
  readonly clusterName: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly stats: HealthCheckStats;
  readonly createProbe: ProbeFactory;
  readonly hasTraffic: () => boolean;
  /** The transport the plan's criteria choose. */
  readonly matchedTransport: Omit<TransportPlan, "match"> | undefined;
  readonly bindAddresses: readonly string[] | undefined;
  /** An endpoint's health is another than before. */
  readonly onChange: (endpoint: CheckedEndpoint) => void;
  /** All endpoints of the moment have been checked once. */
  readonly onFirstRound: () => void;
}

/** Checks the endpoints of one cluster. @see envoy.config.core.v3.HealthCheck */
export class HealthChecker {
  readonly #options: HealthCheckerOptions;
  readonly #sessions = new Map<CheckedEndpoint, HealthCheckSession>();
  readonly #transport: UpstreamTlsPlan | undefined;
  #isFirstRoundOver = false;

  constructor(options: HealthCheckerOptions) {
    this.#options = options;
    this.#transport = withAlpn(options.matchedTransport?.tls, options.plan.alpnProtocols);
  }

  /** Begins to check endpoints that are new and ends it for those that are gone. */
  setEndpoints(endpoints: Iterable<CheckedEndpoint>): void {
    const present = new Set(endpoints);
    for (const [endpoint, session] of this.#sessions) {
      if (present.has(endpoint)) continue;
      this.#sessions.delete(endpoint);
      session.stop();
    }
    const added: HealthCheckSession[] = [];
    for (const endpoint of present) {
      if (this.#sessions.has(endpoint) || endpoint.plan.healthCheck?.isDisabled) continue;
      const session = this.#createSession(endpoint);
      this.#sessions.set(endpoint, session);
      added.push(session);
    }
    for (const session of added) session.start();
    this.#noteFirstRound();
  }

  /** `x-envoy-immediate-health-check-fail` in an answer of this endpoint. */
  failPassively(endpoint: CheckedEndpoint): void {
    this.#sessions.get(endpoint)?.failPassively();
  }

  stop(): void {
    for (const session of this.#sessions.values()) session.stop();
    this.#sessions.clear();
  }

  #createSession(endpoint: CheckedEndpoint): HealthCheckSession {
    const { plan, clock, random, stats, createProbe, hasTraffic, onChange } = this.#options;
    return new HealthCheckSession({
      plan,
      clock,
      random,
      stats,
      hasTraffic,
      health: endpoint.activeHealth,
      createProbe: (onResult) => createProbe(plan, this.#targetOf(endpoint), onResult),
      onChecked: (hasChanged) => {
        if (hasChanged) onChange(endpoint);
        this.#noteFirstRound();
      },
    });
  }

  #targetOf(endpoint: CheckedEndpoint): ProbeTarget {
    const { plan, clusterName, bindAddresses } = this.#options;
    const own = endpoint.plan.healthCheck;
    const { probe } = plan;
    const configured = probe.kind === "http" ? probe.host : probe.kind === "grpc" ? probe.authority : "";
    const address = own?.address ?? endpoint.address;
    const { proxyProtocol } = plan.transportMatch ? (this.#options.matchedTransport ?? {}) : endpoint;
    const port = own?.port ?? plan.altPort;
    const atPort = (one: SocketAddress) => (port === undefined || one.kind !== "ip" ? one : { ...one, port });
    return {
      address: atPort(address),
      turns: own?.address ? [] : endpoint.turns.map(atPort),
      tls: plan.transportMatch ? this.#transport : withAlpn(endpoint.tls, plan.alpnProtocols),
      preface: proxyProtocol && proxyHeaderForItself(proxyProtocol),
      hostname: own?.hostname || configured || clusterName,
      bindAddresses,
    };
  }

  #noteFirstRound(): void {
    if (this.#isFirstRoundOver) return;
    for (const session of this.#sessions.values()) if (!session.hasBeenChecked) return;
    this.#isFirstRoundOver = true;
    this.#options.onFirstRound();
  }
}

function withAlpn(
  tls: UpstreamTlsPlan | undefined,
  alpnProtocols: readonly string[] | undefined,
): UpstreamTlsPlan | undefined {
  return tls && alpnProtocols ? { ...tls, alpnProtocols } : tls;
}
