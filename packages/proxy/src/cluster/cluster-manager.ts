import type { Clock } from "@weft/base/clock";
import type { Gauge } from "@weft/base/metric-registry";
import type { ProbeFactory } from "../health-check/probe-factory.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { AggregateChooser } from "./aggregate-chooser.ts";
import type { Cluster, ClusterDirectory, Endpoint } from "./cluster.ts";
import type { AssignmentPolicy, ClusterPlan, LocalityEndpoints } from "./cluster-plan.ts";
import { DnsDiscovery } from "./dns-discovery.ts";
import type { Locality } from "./locality-group.ts";
import { type ResolveHost, resolveWithSystem } from "./resolve-host.ts";
import { UpstreamCluster } from "./upstream-cluster.ts";

export interface ClusterManagerOptions {
  readonly clock: Clock;
  readonly stats: EnvoyStats;
  readonly random?: () => number;
  readonly resolve?: ResolveHost;
  /** The cluster of all proxies like this one, and where this one is: switches zone-aware routing on. */
  readonly localCluster?: { readonly name: string; readonly locality: Locality } | undefined;
  /** Needed where a cluster asks for health checks. */
  readonly createProbe?: ProbeFactory;
  /** The connections of an endpoint whose checks fail are to close. */
  readonly onEndpointFailed?: (endpoint: Endpoint) => void;
  /** Given to every cluster: endpoints that leave have their pools drained. */
  readonly onEndpointRemoved?: (endpoint: Endpoint, cluster: Cluster) => void;
  /** A cluster that was waiting for its first endpoints has them, or is no longer there. */
  readonly onWarm?: () => void;
}

interface Entry {
  readonly cluster: UpstreamCluster;
  dns: DnsDiscovery | undefined;
  aggregate: AggregateChooser | undefined;
  /** Discovery has answered. */
  hasEndpoints: boolean;
  isWarm: boolean;
}

/**
 * The clusters in service, by name.
 *
 * An update with an unchanged fingerprint changes nothing. A changed plan is
 * put into the cluster that is running, so that requests, pools and ejections
 * of endpoints that stay go on. EDS endpoints are delivered by configuration;
 * DNS is watched here.
 */
export class ClusterManager implements ClusterDirectory {
  readonly #options: ClusterManagerOptions;
  readonly #random: () => number;
  readonly #entries = new Map<string, Entry>();
  /** How many of them wait for their first endpoints. */
  #warming = 0;
  readonly #gauges: { readonly active: Gauge; readonly warming: Gauge };
  readonly #counters;

  constructor(options: ClusterManagerOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    const { stats } = options;
    this.#gauges = {
      active: stats.gauge("cluster_manager.active_clusters"),
      warming: stats.gauge("cluster_manager.warming_clusters"),
    };
    this.#counters = {
      added: stats.counter("cluster_manager.cluster_added"),
      modified: stats.counter("cluster_manager.cluster_modified"),
      removed: stats.counter("cluster_manager.cluster_removed"),
    };
    stats.registry.onCollect(() => {
      this.#gauges.active.set(this.#entries.size - this.#warming);
      this.#gauges.warming.set(this.#warming);
      for (const { cluster } of this.#entries.values()) cluster.collect();
    });
  }

  /** For an aggregate cluster the one of its clusters that takes the next request. */
  get(name: string): UpstreamCluster | undefined {
    const entry = this.#entries.get(name);
    return entry?.aggregate ? (entry.aggregate.choose() ?? entry.cluster) : entry?.cluster;
  }

  get clusters(): Iterable<UpstreamCluster> {
    return [...this.#entries.values()].map((entry) => entry.cluster);
  }

  /** False while a cluster waits for its first endpoints from DNS or EDS. */
  get isWarm(): boolean {
    return this.#warming === 0;
  }

  /** Whether a cluster is there and has had its first endpoints, or been told that there are none. */
  isClusterWarm(name: string): boolean {
    return this.#entries.get(name)?.isWarm === true;
  }

  /** Adds a cluster or replaces its plan. */
  setCluster(plan: ClusterPlan): void {
    let entry = this.#entries.get(plan.name);
    if (entry?.cluster.plan.fingerprint === plan.fingerprint) return;
    if (entry && entry.cluster.plan.statName !== plan.statName) {
      // Its statistics have another name: nothing of the old cluster can be kept.
      this.removeCluster(plan.name);
      entry = undefined;
    }
    if (entry) {
      entry.dns?.stop();
      entry.dns = undefined;
      entry.cluster.replacePlan(plan);
      this.#counters.modified.add();
    } else {
      const { clock, stats, onEndpointRemoved, localCluster, createProbe } = this.#options;
      const cluster = new UpstreamCluster(plan, {
        clock,
        stats,
        random: this.#random,
        createProbe,
        zone: localCluster && { own: localCluster.locality, local: () => this.get(localCluster.name) },
      });
      cluster.onEndpointFailed = this.#options.onEndpointFailed;
      cluster.onChecked = () => {
        const own = this.#entries.get(plan.name);
        if (own?.cluster === cluster && own.hasEndpoints) this.#warmed(own);
      };
      if (plan.name === localCluster?.name) cluster.onRebuilt = () => this.#rebuildAllBut(cluster);
      if (onEndpointRemoved) cluster.onEndpointRemoved = (endpoint) => onEndpointRemoved(endpoint, cluster);
      entry = { cluster, dns: undefined, aggregate: undefined, hasEndpoints: false, isWarm: false };
      this.#entries.set(plan.name, entry);
      this.#warming += 1;
      this.#counters.added.add();
    }
    entry.aggregate =
      plan.discovery.kind === "aggregate"
        ? new AggregateChooser(entry.cluster, (name) => this.#entries.get(name)?.cluster, this.#random)
        : undefined;
    this.#discover(entry, plan);
  }

  removeCluster(name: string): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#entries.delete(name);
    entry.dns?.stop();
    entry.cluster.close();
    this.#options.stats.forget("envoy_cluster_name", entry.cluster.plan.statName);
    this.#counters.removed.add();
    this.#endWarming(entry);
  }

  /** The endpoints EDS gives for a cluster; an empty list also ends the wait for the first. */
  setEndpoints(cluster: string, localities: readonly LocalityEndpoints[], policy?: AssignmentPolicy): void {
    const entry = this.#entries.get(cluster);
    if (!entry) return;
    entry.cluster.setEndpoints(localities, policy);
    this.#warmed(entry);
  }

  /** Stops every timer and drains every pool. */
  close(): void {
    for (const name of [...this.#entries.keys()]) this.removeCluster(name);
  }

  #discover(entry: Entry, plan: ClusterPlan): void {
    const { discovery } = plan;
    switch (discovery.kind) {
      case "static":
        entry.cluster.setEndpoints(discovery.endpoints, discovery.policy);
        this.#warmed(entry);
        return;
      case "original-dst":
      case "aggregate":
        this.#warmed(entry);
        return;
      case "eds":
        return;
      case "strict-dns":
      case "logical-dns": {
        const { membership } = entry.cluster.allStats;
        entry.dns = new DnsDiscovery(discovery, {
          clock: this.#options.clock,
          random: this.#random,
          resolve: (host, wantsTtl) => {
            membership.updateAttempt.add();
            return (this.#options.resolve ?? resolveWithSystem)(host, wantsTtl);
          },
          onEndpoints: (localities) => entry.cluster.setEndpoints(localities, discovery.policy),
          onFailure: () => membership.updateFailure.add(),
          onFirstRound: () => this.#warmed(entry),
        });
        entry.dns.start();
      }
    }
  }

  #rebuildAllBut(cluster: UpstreamCluster): void {
    for (const entry of this.#entries.values()) if (entry.cluster !== cluster) entry.cluster.rebuild();
  }

  /** Discovery is done; where endpoints are checked, the first checks are waited for too. */
  #warmed(entry: Entry): void {
    entry.hasEndpoints = true;
    if (entry.cluster.isChecked) this.#endWarming(entry);
  }

  #endWarming(entry: Entry): void {
    if (entry.isWarm) return;
    entry.isWarm = true;
    this.#warming -= 1;
    this.#options.onWarm?.();
  }
}
