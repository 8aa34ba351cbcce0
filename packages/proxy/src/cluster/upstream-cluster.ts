import { isDeepStrictEqual } from "node:util";
import type { Clock } from "@weft/base/clock";
import { uncheckedHealth } from "../health-check/active-health.ts";
import { healthCheckStats } from "../health-check/health-check-stats.ts";
import { HealthChecker } from "../health-check/health-checker.ts";
import type { ProbeFactory } from "../health-check/probe-factory.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { BreakerSet } from "./circuit-breaker.ts";
import type { AttemptOutcome, Breakers, Cluster, ClusterStats, Endpoint, PickContext } from "./cluster.ts";
import type {
  AssignmentPolicy,
  ClusterPlan,
  EndpointPlan,
  LocalityEndpoints,
  TransportPlan,
} from "./cluster-plan.ts";
import { type AllClusterStats, createClusterStats } from "./cluster-stats.ts";
import { createEndpointChooser, type EndpointChooser } from "./endpoint-chooser.ts";
import type { Locality, LocalityGroup } from "./locality-group.ts";
import { isMadeFor, type Membership, updateMembership } from "./membership.ts";
import { OriginalDestinations } from "./original-destinations.ts";
import { OutlierDetector } from "./outlier-detector.ts";
import { outlierStats } from "./outlier-stats.ts";
import { matchTransport } from "./transport-match.ts";
import { UpstreamEndpoint } from "./upstream-endpoint.ts";

export interface UpstreamClusterDependencies {
  readonly clock: Clock;
  readonly stats: EnvoyStats;
  readonly random: () => number;
  /** Needed where a plan asks for health checks. */
  readonly createProbe?: ProbeFactory | undefined;
  /** Given where the bootstrap names a local cluster. */
  readonly zone?: { readonly own: Locality; readonly local: () => UpstreamCluster | undefined } | undefined;
}

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
  /** Called when an endpoint's connections are to close because its checks fail, or its neighbours change. */
  onEndpointFailed: ((endpoint: Endpoint) => void) | undefined;
  /** Called once `isChecked` has become true. */
  onChecked: (() => void) | undefined;
  /** Called when endpoints or their health have changed. */
  onRebuilt: (() => void) | undefined;
  /** Another number whenever endpoints or their health have changed. */
  generation = 0;
  readonly allStats: AllClusterStats;
  readonly #deps: UpstreamClusterDependencies;
  #plan: ClusterPlan;
  #membership: Membership = { endpoints: new Map(), groups: [] };
  #policy: AssignmentPolicy = {};
  #chooser: EndpointChooser | undefined;
  #checker: HealthChecker | undefined;
  #isChecked = false;
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
    return this.#originals?.endpoints ?? endpointSet(this.#membership.endpoints);
  }

  /** The endpoints by locality and priority. */
  get groups(): readonly LocalityGroup[] {
    return this.#membership.groups;
  }

  breakers(priority: "default" | "high"): Breakers {
    return this.#breakers[priority];
  }

  pick(context: PickContext): Endpoint | undefined {
    if (this.#originals) return this.#originals.pick(context.originalDestination);
    const { bound } = context;
    if (bound) {
      const own = this.#byAddress(bound.address);
      if (own || bound.isStrict) return own;
    }
    return this.#chooser?.pick(context);
  }

  /** An endpoint that may be used, of any priority. */
  #byAddress(address: string): Endpoint | undefined {
    const { endpoints } = this.#membership;
    let found = endpoints.get(address);
    if (!found) for (const one of endpoints.values()) if (one.addressText === address) found = one;
    return found && found.health !== "unhealthy" ? found : undefined;
  }

  failPassively(endpoint: Endpoint): void {
    this.#checker?.failPassively(endpoint as UpstreamEndpoint);
  }

  report(endpoint: Endpoint, outcome: AttemptOutcome): void {
    this.#outlier?.report(endpoint as UpstreamEndpoint, outcome);
  }

  /** Replaces the plan; endpoints whose transport is the same stay. */
  replacePlan(plan: ClusterPlan): void {
    this.#stopChecks(plan);
    this.#outlier?.stop();
    if (!plan.outlier) this.#outlier?.releaseAll();
    const isOriginal = plan.discovery.kind === "original-dst";
    if (this.#originals && !isOriginal) this.#originals.clear();
    this.#plan = plan;
    if (isOriginal) this.#originals?.retain((one) => isMadeFor(one, this.#transportOf(one.plan)));
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

  /** How many endpoints there are, and how many of them may be used. */
  countEndpoints(): { readonly total: number; readonly usable: number } {
    let usable = 0;
    for (const { health } of this.endpoints) if (health !== "unhealthy") usable += 1;
    return { total: this.endpoints.size, usable };
  }

  /** Sets the gauges that are cheaper to read than to keep. */
  collect(): void {
    const { membership } = this.allStats;
    let healthy = 0;
    let degraded = 0;
    let total = 0;
    let excluded = 0;
    for (const endpoint of this.endpoints) {
      if (endpoint.isExcluded) excluded += 1;
      total += 1;
      if (endpoint.health === "healthy") healthy += 1;
      else if (endpoint.health === "degraded") degraded += 1;
    }
    membership.total.set(total);
    membership.excluded.set(excluded);
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
    this.#checker?.stop();
    this.#checker = undefined;
    this.#originals?.clear();
    this.#replaceEndpoints([]);
  }

  /** Whether every endpoint has been checked once, where they are checked; says so by `onChecked` later. */
  get isChecked(): boolean {
    return !this.#plan.healthCheck || this.#isChecked;
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
    this.#startChecks();
  }

  #createEndpoint(plan: EndpointPlan): UpstreamEndpoint {
    this.#countTransport(plan);
    return new UpstreamEndpoint(plan, this.#transportOf(plan));
  }

  #countTransport(plan: EndpointPlan): void {
    this.allStats.transportMatches(this.#transportOf(plan)?.name || "default").value += 1;
  }

  #transportOf({ metadata }: EndpointPlan): TransportPlan | undefined {
    return matchTransport(this.#plan.transports, metadata.get("envoy.transport_socket_match"));
  }

  #replaceEndpoints(localities: readonly LocalityEndpoints[]): void {
    const { discovery, ignoresHealthOnRemoval, addressOrder } = this.#plan;
    const isDiscovered = discovery.kind !== "static" && this.#checker !== undefined;
    const { added, removed, ...membership } = updateMembership(this.#membership, localities, {
      transportOf: (plan) => this.#transportOf(plan),
      outstays: (endpoint) =>
        isDiscovered && !ignoresHealthOnRemoval && endpoint.isChecked && endpoint.health !== "unhealthy",
      addressOrder,
    });
    this.#localities = localities;
    this.#membership = membership;
    for (const { plan } of added) this.#countTransport(plan);
    if (this.#checker) for (const endpoint of added) this.#expectCheck(endpoint);
    this.rebuild();
    for (const endpoint of removed) {
      if (endpoint.outlier.isEjected) outlierStats(this.#deps.stats, this.#plan.statName).active.add(-1);
      this.onEndpointRemoved?.(endpoint);
    }
    if (added.length + removed.length > 0) {
      this.allStats.membership.change.add();
      if (this.#plan.closesConnectionsOnChange) {
        for (const endpoint of membership.endpoints.values()) this.onEndpointFailed?.(endpoint);
      }
    }
    this.#checker?.setEndpoints(membership.endpoints.values());
  }

  /** Builds the balancer anew: something it depends on has changed. */
  rebuild(): void {
    const { clock, zone } = this.#deps;
    const nowMs = clock.monotonicMs();
    const { endpoints, groups } = this.#membership;
    for (const endpoint of endpoints.values()) {
      if (endpoint.health !== "healthy") endpoint.healthySinceMs = undefined;
      else endpoint.healthySinceMs ??= nowMs;
    }
    const isLocal = zone === undefined || this.name === zone.local()?.name;
    this.#chooser = createEndpointChooser(this.#plan, groups, this.#policy, this.allStats, {
      ...this.#deps,
      zone: isLocal ? undefined : { own: zone.own, local: () => zone.local()?.groups },
    });
    this.generation += 1;
    this.onRebuilt?.();
  }

  #startChecks(): void {
    const { healthCheck, name, statName, transports, bindAddresses } = this.#plan;
    const { clock, random, stats, createProbe } = this.#deps;
    if (!healthCheck || this.#checker) return;
    if (!createProbe) throw new Error("health checks need something to probe with");
    this.#isChecked = false;
    this.#checker = new HealthChecker({
      plan: healthCheck,
      clusterName: name,
      clock,
      random,
      createProbe,
      stats: healthCheckStats(stats, statName),
      hasTraffic: () => this.stats.cxTotal.value > 0,
      matchedTransport: matchTransport(transports, new Map(healthCheck.transportMatch)),
      bindAddresses,
      onChange: (endpoint) => this.#onHealthChange(endpoint as UpstreamEndpoint),
      onFirstRound: () => {
        this.#isChecked = true;
        this.onChecked?.();
      },
    });
  }

  /** Checks go on over a change of plan that leaves them as they are. */
  #stopChecks(next: ClusterPlan): void {
    if (!this.#checker || isDeepStrictEqual(next.healthCheck, this.#plan.healthCheck)) return;
    this.#checker.stop();
    this.#checker = undefined;
    for (const { activeHealth } of this.#membership.endpoints.values()) {
      Object.assign(activeHealth, uncheckedHealth);
    }
  }

  /** Until its first check an endpoint takes no requests. */
  #expectCheck(endpoint: UpstreamEndpoint): void {
    if (!endpoint.isChecked) return;
    endpoint.activeHealth.isFailed = true;
    endpoint.activeHealth.isPending = this.#plan.ignoresUncheckedEndpoints ?? false;
  }

  #onHealthChange(endpoint: UpstreamEndpoint): void {
    if (endpoint.activeHealth.isFailed) {
      if (this.#plan.closesConnectionsOnFailure) this.onEndpointFailed?.(endpoint);
      if (endpoint.isPendingRemoval) {
        // Nothing has kept it but its health.
        this.#replaceEndpoints(this.#localities);
        return;
      }
    } else this.#outlier?.onCheckSucceeded(endpoint);
    this.rebuild();
  }
}

function endpointSet(
  endpoints: ReadonlyMap<string, UpstreamEndpoint>,
): Iterable<UpstreamEndpoint> & { readonly size: number } {
  return { [Symbol.iterator]: () => endpoints.values(), size: endpoints.size };
}
