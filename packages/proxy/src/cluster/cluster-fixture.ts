/** Plans and random numbers for tests of clusters. */
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { PickContext } from "./cluster.ts";
import type {
  BreakerLimits,
  ClusterPlan,
  EndpointPlan,
  LocalityEndpoints,
  OutlierPlan,
} from "./cluster-plan.ts";
import { UpstreamCluster } from "./upstream-cluster.ts";

/** Uniform in [0, 1), the same sequence for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `endpoint("10.0.0.1")`, with what a test cares about. */
export function endpoint(
  host: string,
  options: Partial<Omit<EndpointPlan, "metadata">> & {
    readonly metadata?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  } = {},
): EndpointPlan {
  const { metadata = {}, ...rest } = options;
  return {
    address: { kind: "ip", host, port: 80 },
    hostname: "",
    weight: 1,
    health: "healthy",
    ...rest,
    metadata: new Map(
      Object.entries(metadata).map(([name, values]) => [name, new Map(Object.entries(values))]),
    ),
  };
}

export function locality(
  endpoints: readonly EndpointPlan[],
  options: Partial<LocalityEndpoints> = {},
): LocalityEndpoints {
  return { region: "", zone: "", subZone: "", priority: 0, weight: 0, endpoints, ...options };
}

export const defaultLimits: BreakerLimits = {
  maxConnections: 1_024,
  maxPendingRequests: 1_024,
  maxRequests: 1_024,
  maxRetries: 3,
  retryBudgetPercent: 20,
  minRetryConcurrency: 3,
};

export const defaultOutlier: OutlierPlan = {
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 100,
  consecutive5xx: 5,
  enforcingConsecutive5xx: 100,
  consecutiveGatewayFailure: 5,
  enforcingConsecutiveGatewayFailure: 0,
  maxEjectionJitterMs: 0,
  rates: {
    successRateMinimumHosts: 5,
    successRateRequestVolume: 100,
    successRateStdevFactor: 1.9,
    failurePercentageThreshold: 85,
    failurePercentageMinimumHosts: 5,
    failurePercentageRequestVolume: 50,
  },
  enforcingSuccessRate: 100,
  enforcingLocalOriginSuccessRate: 100,
  enforcingFailurePercentage: 0,
  enforcingFailurePercentageLocalOrigin: 0,
  splitExternalLocalOriginErrors: false,
  consecutiveLocalOriginFailure: 5,
  enforcingConsecutiveLocalOriginFailure: 100,
};

let fingerprints = 0;

export function clusterPlan(options: Partial<ClusterPlan> = {}): ClusterPlan {
  return {
    name: "web",
    statName: options.name ?? "web",
    discovery: { kind: "static", endpoints: [] },
    connectTimeoutMs: 5_000,
    balancer: { kind: "round-robin" },
    subsets: undefined,
    breakers: { default: defaultLimits, high: defaultLimits },
    outlier: undefined,
    protocol: "http1",
    transports: [{ match: [], tls: undefined }],
    maxRequestsPerConnection: 0,
    idleTimeoutMs: 3_600_000,
    bufferLimitBytes: 1 << 20,
    originalDstHeader: undefined,
    origin: undefined,
    fingerprint: String(fingerprints++),
    ...options,
  };
}

export const noContext: PickContext = {
  subset: undefined,
  hash: undefined,
  originalDestination: undefined,
  avoid: undefined,
};

/** A cluster on a clock that stands still, with these endpoints. */
export function clusterWith(
  localities: readonly LocalityEndpoints[],
  options: Partial<ClusterPlan> = {},
  seed = 1,
): { readonly cluster: UpstreamCluster; readonly clock: FakeClock; readonly stats: EnvoyStats } {
  const clock = new FakeClock();
  const stats = new EnvoyStats(new MetricRegistry());
  const plan = clusterPlan({ discovery: { kind: "eds", serviceName: "web" }, ...options });
  const cluster = new UpstreamCluster(plan, { clock, stats, random: seededRandom(seed) });
  cluster.setEndpoints(localities);
  return { cluster, clock, stats };
}

/** How often each address is chosen in `picks` picks. */
export function tally(cluster: UpstreamCluster, picks: number, context = noContext): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < picks; i++) {
    const name = cluster.pick(context)?.addressText.replace(/:80$/, "") ?? "none";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
