import type { Clock } from "@weft/base/clock";
import { formatAddress } from "../net/socket-address.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { BreakerSet } from "./circuit-breaker.ts";
import type { AttemptOutcome, Breakers, Cluster, ClusterStats, Endpoint, PickContext } from "./cluster.ts";
import type { AssignmentPolicy, ClusterPlan, EndpointPlan, LocalityEndpoints } from "./cluster-plan.ts";
import { type AllClusterStats, createClusterStats } from "./cluster-stats.ts";
import { LoadBalancer, type LoadBalancerOptions } from "./load-balancer.ts";
import type { Locality, LocalityGroup } from "./locality-group.ts";
import { OriginalDestinations } from "./original-destinations.ts";
import { OutlierDetector, outlierStats } from "./outlier-detector.ts";
import { SubsetBalancer } from "./subset-balancer.ts";
import { UpstreamEndpoint } from "./upstream-endpoint.ts";
import type { ZoneAwareness } from "./zone-aware-picker.ts";
import { defaultZoneAware } from "./zone-routing.ts";

export interface UpstreamClusterDependencies {
  readonly clock: Clock;
  readonly stats: EnvoyStats;
  readonly random: () => number;
  /** Given where the bootstrap names a local cluster. */
  readonly zone?: { readonly own: Locality; readonly local: () => UpstreamCluster | undefined } | undefined;
}

const defaultPanicPercent = 50;
const defaultOverprovisioningPercent = 140;

/**
 * A cluster in service: its endpoints, who gets the next attempt, who is
 * ejected, and how much may be in flight.
 *
 * The balancer is rebuilt when endpoints, their health or the plan change, and
 * never while a request picks. Endpoints whose address and transport stay keep
 * their counters, ejection and pool over every update.
 */
export class UpstreamCluster implements Cluster {
  readonly name: string;
  onEndpointRemoved: ((endpoint: Endpoint) => void) | undefined;
  /** Called when endpoints or their health have changed. */
  onRebuilt: (() => void) | undefined;
  readonly allStats: AllClusterStats;
  readonly #deps: UpstreamClusterDependencies;
  #plan: ClusterPlan;
  #endpoints = new Map<string, UpstreamEndpoint>();
  #groups: readonly LocalityGroup[] = [];
  #policy: AssignmentPolicy = {};
  #balancer: LoadBalancer | undefined;
  #subsets: SubsetBalancer | undefined;
  #outlier: OutlierDetector | undefined;
  #originals: OriginalDestinations | undefined;
  readonly #breakers: { readonly default: BreakerSet; readonly high: BreakerSet };

  constructor(plan: ClusterPlan, deps: UpstreamClusterDependencies) {
    this.name = plan.name;
    this.#plan = plan;
    this.#deps = deps;
    this.allStats = createClusterStats(deps.stats, plan.statName);
    this.#breakers = {
      default: new BreakerSet(plan.breakers.default, this.stats),
      high: new BreakerSet(plan.breakers.high, this.stats),
    };
    this.#start();
  }

  get plan(): ClusterPlan {
    return this.#plan;
  }

  get stats(): ClusterStats {
    return this.allStats.request;
  }

  /** For admin's `/clusters` and for tests, in the order they were given. */
  get endpoints(): Iterable<UpstreamEndpoint> & { readonly size: number } {
    return this.#originals?.endpoints ?? endpointSet(this.#endpoints);
  }

  /** The endpoints by locality and priority. */
  get groups(): readonly LocalityGroup[] {
    return this.#groups;
  }

  breakers(priority: "default" | "high"): Breakers {
    return this.#breakers[priority];
  }

  pick(context: PickContext): Endpoint | undefined {
    let host: UpstreamEndpoint | undefined;
    if (this.#originals) host = this.#originals.pick(context.originalDestination);
    else if (this.#subsets) host = this.#subsets.pick(context);
    else host = this.#balancer?.pick(context);
    return host;
  }

  report(endpoint: Endpoint, outcome: AttemptOutcome): void {
    if (outcome.kind === "response") this.allStats.responseCode(outcome.status).value += 1;
    this.#outlier?.report(endpoint as UpstreamEndpoint, outcome);
  }

  /** Replaces the plan; endpoints whose transport is the same stay. */
  replacePlan(plan: ClusterPlan): void {
    this.#outlier?.stop();
    if (!plan.outlier) this.#outlier?.releaseAll();
    const isOriginal = plan.discovery.kind === "original-dst";
    if (this.#originals && !isOriginal) this.#originals.clear();
    this.#plan = plan;
    this.#breakers.default.limits = plan.breakers.default;
    this.#breakers.high.limits = plan.breakers.high;
    const localities = this.#localities;
    if (isOriginal) this.#replaceEndpoints([]);
    this.#start();
    if (!isOriginal) this.#replaceEndpoints(localities);
  }

  /** Replaces the endpoints; the first of two with the same address counts. */
  setEndpoints(localities: readonly LocalityEndpoints[], policy: AssignmentPolicy = {}): void {
    const { membership } = this.allStats;
    membership.updateSuccess.add();
    if (localities.every((locality) => locality.endpoints.length === 0)) membership.updateEmpty.add();
    this.#policy = policy;
    this.#replaceEndpoints(localities);
  }

  /** Sets the gauges that are cheaper to read than to keep. */
  collect(): void {
    const { membership } = this.allStats;
    let healthy = 0;
    let degraded = 0;
    let total = 0;
    for (const endpoint of this.endpoints) {
      total += 1;
      if (endpoint.health === "healthy") healthy += 1;
      else if (endpoint.health === "degraded") degraded += 1;
    }
    membership.total.set(total);
    membership.healthy.set(healthy);
    membership.degraded.set(degraded);
    for (const priority of ["default", "high"] as const) {
      const set = this.#breakers[priority];
      this.allStats.breakerOpen(priority, "cx").set(Number(set.connections.isOpen));
      this.allStats.breakerOpen(priority, "rq_pending").set(Number(set.pending.isOpen));
      this.allStats.breakerOpen(priority, "rq").set(Number(set.requests.isOpen));
      this.allStats.breakerOpen(priority, "rq_retry").set(Number(set.retries.isOpen));
    }
  }

  /** The cluster is gone: timers stop and all pools drain. Requests that hold it finish. */
  close(): void {
    this.#outlier?.stop();
    this.#originals?.clear();
    this.#replaceEndpoints([]);
  }

  #localities: readonly LocalityEndpoints[] = [];

  #start(): void {
    const { clock, random, stats } = this.#deps;
    const { outlier, discovery, statName } = this.#plan;
    this.#outlier =
      outlier &&
      new OutlierDetector(outlier, {
        clock,
        random,
        stats: outlierStats(stats, statName),
        endpoints: () => this.endpoints,
        onChange: () => this.rebuild(),
      });
    if (discovery.kind !== "original-dst") this.#originals = undefined;
    else {
      this.#originals ??= new OriginalDestinations({
        clock,
        create: (plan) => this.#createEndpoint(plan),
        onRemoved: (endpoint) => this.onEndpointRemoved?.(endpoint),
      });
    }
  }

  #createEndpoint(plan: EndpointPlan): UpstreamEndpoint {
    return new UpstreamEndpoint(plan, this.#transportOf(plan));
  }

  #transportOf(plan: EndpointPlan) {
    const metadata = plan.metadata.get("envoy.transport_socket_match");
    const transport = this.#plan.transports.find(({ match }) =>
      match.every(([key, value]) => metadata?.get(key) === value),
    );
    return transport?.tls;
  }

  #replaceEndpoints(localities: readonly LocalityEndpoints[]): void {
    const before = this.#endpoints;
    const after = new Map<string, UpstreamEndpoint>();
    let changed = false;
    const groups = localities.map((locality): LocalityGroup => {
      const hosts: UpstreamEndpoint[] = [];
      for (const plan of locality.endpoints) {
        const address = formatAddress(plan.address);
        if (after.has(address)) continue;
        let endpoint = before.get(address);
        if (endpoint && endpoint.tls === this.#transportOf(plan)) endpoint.plan = plan;
        else {
          endpoint = this.#createEndpoint(plan);
          changed = true;
        }
        endpoint.priority = locality.priority;
        after.set(address, endpoint);
        hosts.push(endpoint);
      }
      return { priority: locality.priority, weight: locality.weight, locality, hosts };
    });
    this.#localities = localities;
    this.#groups = groups;
    this.#endpoints = after;
    this.rebuild();
    for (const [address, endpoint] of before) {
      if (after.get(address) === endpoint) continue;
      changed = true;
      if (endpoint.outlier.isEjected) outlierStats(this.#deps.stats, this.#plan.statName).active.add(-1);
      this.onEndpointRemoved?.(endpoint);
    }
    if (changed) this.allStats.membership.change.add();
  }

  /** Builds the balancer anew: something it depends on has changed. */
  rebuild(): void {
    const { membership } = this.allStats;
    const { clock, random, stats } = this.#deps;
    const nowMs = clock.monotonicMs();
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.health !== "healthy") endpoint.healthySinceMs = undefined;
      else endpoint.healthySinceMs ??= nowMs;
    }
    const options: LoadBalancerOptions = {
      balancer: this.#plan.balancer,
      overprovisioningPercent: this.#policy.overprovisioningPercent ?? defaultOverprovisioningPercent,
      weighsPriorityHealth: this.#policy.weighsPriorityHealth ?? false,
      panicPercent: this.#plan.panicThresholdPercent ?? defaultPanicPercent,
      isLocalityWeighted: this.#plan.isLocalityWeighted ?? false,
      zones: this.#zones(),
      random,
      nowMs: () => clock.monotonicMs(),
      panics: membership.healthyPanic,
      activeRequests: this.stats.rqActive,
      gauge: (name) => stats.gauge(`cluster.{envoy_cluster_name}.${name}`, this.#plan.statName),
    };
    const { subsets } = this.#plan;
    this.#balancer = subsets ? undefined : new LoadBalancer(this.#groups, options);
    this.#subsets =
      subsets &&
      new SubsetBalancer(subsets, this.#groups, options, {
        active: options.gauge("lb_subsets_active"),
        selected: membership.subsetsSelected,
        fallback: membership.subsetsFallback,
        fallbackPanic: membership.subsetsFallbackPanic,
        singleHostDuplicate: options.gauge("lb_subsets_single_host_per_subset_duplicate"),
      });
    this.onRebuilt?.();
  }

  #zones(): ZoneAwareness | undefined {
    const { zone, stats } = this.#deps;
    if (!zone || this.name === zone.local()?.name) return undefined;
    return {
      plan: this.#plan.zoneAware ?? defaultZoneAware,
      own: zone.own,
      local: () => zone.local()?.groups,
      localPanicPercent: () => this.#plan.panicThresholdPercent ?? defaultPanicPercent,
      counter: (name) => stats.counter(`cluster.{envoy_cluster_name}.${name}`, this.#plan.statName),
    };
  }
}

function endpointSet(
  endpoints: ReadonlyMap<string, UpstreamEndpoint>,
): Iterable<UpstreamEndpoint> & { readonly size: number } {
  return { [Symbol.iterator]: () => endpoints.values(), size: endpoints.size };
}
