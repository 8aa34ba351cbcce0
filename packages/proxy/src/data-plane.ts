import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { MetricRegistry } from "@weft/base/metric-registry";
import { startSeriesExpiry } from "@weft/base/series-expiry";
import { tellOverflows } from "@weft/base/series-overflow";
import type { Log } from "./admin/log.ts";
import { ClusterManager } from "./cluster/cluster-manager.ts";
import { retireEndpointPools } from "./cluster/endpoint-pools.ts";
import type { BootstrapPlan } from "./config/bootstrap.ts";
import { createFactories, createFilterServices } from "./config/create-factories.ts";
import { LiveConfig } from "./config/live-config.ts";
import { compileStaticResources, type StaticResources } from "./config/static-resources.ts";
import { TlsContexts } from "./config/tls-contexts.ts";
import type { ServerHealth } from "./filters/health-check.ts";
import { isExpiringMetric } from "./filters/istio-metrics.ts";
import { probeFactory } from "./health-check/probe-factory.ts";
import { OnDemandResources } from "./layer/resource-discovery.ts";
import type { BindSocket, DrainPlan, ListenerFailure } from "./listener/listener-set.ts";
import { createRuntime, type Runtime } from "./listener/runtime.ts";
import { MemoryRelease } from "./memory-release.ts";
import { Timers } from "./net/timers.ts";
import { unobserved } from "./observe/observation.ts";
import { endOnlyWithoutRoom } from "./overload/memory-pressure.ts";
import { OverloadManager } from "./overload/overload-manager.ts";
import { OverloadState } from "./overload/overload-state.ts";
import { AccessLogs } from "./telemetry/access-log.ts";
import { EnvoyStats } from "./telemetry/envoy-stats.ts";
import { ServerStats } from "./telemetry/server-stats.ts";

export interface DataPlaneOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly bootstrap: BootstrapPlan;
  /** How many workers there are, for the statistics. */
  readonly concurrency: number;
  /** Which of them this is. Default 0. */
  readonly worker?: number;
  /** Gets a listening socket from elsewhere; absent: it is bound here. */
  readonly bindSocket?: BindSocket;
  /** How connections of listeners that go leave. */
  readonly drain?: DrainPlan | undefined;
  /** Something was put in force, or something else is needed now. */
  onChange(): void;
  /** A request asks for something that is to be subscribed to. */
  onWanted?(kind: WantedKind, source: string, name: string): void;
}

/** What requests may ask for. */
export type WantedKind = "cluster" | "host";

/**
 * Everything between configuration and sockets, once per worker: the
 * configuration in force, clusters, listeners, statistics and logs.
 *
 * Making one compiles the whole bootstrap and binds nothing, so that a mistake
 * in the file is found before anything is started.
 */
export class DataPlane {
  readonly stats = new EnvoyStats(new MetricRegistry());
  readonly tls = new TlsContexts();
  readonly serverStats: ServerStats;
  readonly accessLogs: AccessLogs;
  readonly clusters: ClusterManager;
  readonly runtime: Runtime;
  readonly live: LiveConfig;
  /** Who looks at requests. */
  readonly observation = unobserved();
  /** What the bootstrap itself defines. */
  readonly static: StaticResources;
  readonly #options: DataPlaneOptions;
  readonly #probeTimers: Timers;
  readonly #overload: OverloadManager;
  /** What requests ask for. */
  readonly onDemand: Readonly<Record<WantedKind, OnDemandResources>>;
  #memory: MemoryRelease | undefined;
  #expiry: { close(): void } | undefined;
  #isStarted = false;
  #isDraining = false;
  #isFailingHealthChecks = false;
  /** The newest listeners, once they are in force or have failed. */
  applied: Promise<readonly ListenerFailure[]> = Promise.resolve([]);

  constructor(options: DataPlaneOptions) {
    const { clock, log, bootstrap } = options;
    this.#options = options;
    this.stats.registry.hasNativeHistograms = bootstrap.hasNativeHistograms;
    tellOverflows(this.stats.registry);
    this.accessLogs = new AccessLogs(clock, this.stats);
    this.#probeTimers = new Timers(clock);
    this.serverStats = new ServerStats(this.stats, options);
    this.clusters = new ClusterManager({
      clock,
      stats: this.stats,
      localCluster: bootstrap.localCluster,
      createProbe: probeFactory({
        timers: this.#probeTimers,
        onFault: (error) => log.error(`a defect in a health check was contained: ${messageOf(error)}`),
      }),
      onEndpointFailed: retireEndpointPools,
      onEndpointRemoved: (endpoint) => this.runtime.onEndpointRemoved(endpoint),
      onWarm: () => {
        this.onDemand.cluster.check();
        if (this.clusters.isWarm) options.onChange();
      },
    });
    this.onDemand = {
      cluster: new OnDemandResources({
        clock,
        // One that is found by DNS has no endpoint before the first answer.
        isInForce: (name) => this.clusters.isClusterWarm(name),
        onWanted: (source, name) => options.onWanted?.("cluster", source, name),
      }),
      host: new OnDemandResources({
        clock,
        isInForce: (name) => this.live.virtualHosts.has(name),
        onWanted: (source, name) => options.onWanted?.("host", source, name),
      }),
    };
    const random = Math.random;
    const overload = new OverloadState(random);
    this.runtime = createRuntime({
      clock,
      overload,
      observation: this.observation,
      maxConnections: maxConnections(bootstrap),
      worker: `${options.worker ?? 0}`,
      bindSocket: options.bindSocket,
      drain: options.drain,
      clusters: this.clusters,
      stats: this.stats,
      log: (level, message, fields) => log[level](`${message} ${JSON.stringify(fields)}`),
    });
    endOnlyWithoutRoom();
    this.#overload = new OverloadManager({
      clock,
      plan: bootstrap.overload.plan,
      state: overload,
      stats: this.stats,
      pauseAccepting: (isPaused) => this.runtime.pauseAccepting(isPaused),
      releaseMemory: () => this.#memory?.releaseNow(),
      report: (message) => log.warning(message),
    });
    this.live = this.#createLive(random);
    this.static = compileStaticResources(bootstrap, this.live.decoder, this.tls);
  }

  /** Puts the bootstrap's own resources in force; resolves with the listeners that could not be bound. */
  async start(): Promise<readonly ListenerFailure[]> {
    this.live.addStatic(this.static.clusters, this.static.listeners);
    const failures = await this.applied;
    this.#isStarted = true;
    this.#memory = new MemoryRelease({ clock: this.#options.clock });
    this.#expiry = startSeriesExpiry({
      registry: this.stats.registry,
      clock: this.#options.clock,
      idleMs: this.#options.bootstrap.statsEvictionMs,
      isExpiring: isExpiringMetric,
    });
    return failures;
  }

  get isFailingHealthChecks(): boolean {
    return this.#isFailingHealthChecks;
  }

  /** An operator wants callers to look elsewhere, or no more: health checks fail, and connections end with their answers. */
  failHealthChecks(isFailed: boolean): void {
    this.#isFailingHealthChecks = isFailed;
    this.runtime.failHealthChecks(isFailed);
  }

  /** Lets connections finish; resolves when all have or after `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    this.serverStats.setLive(false);
    await this.applied;
    await this.runtime.drain(graceMs);
  }

  async close(): Promise<void> {
    this.live.close();
    this.onDemand.cluster.close();
    this.onDemand.host.close();
    await this.runtime.close();
    this.clusters.close();
    this.#probeTimers.close();
    this.#overload.close();
    this.serverStats.stop();
    this.#memory?.stop();
    this.#expiry?.close();
    this.accessLogs.close();
  }

  /** For the filter that answers health checks. */
  #serverHealth(): ServerHealth {
    const isFailing = () => this.#isDraining || this.#isFailingHealthChecks;
    return {
      get isFailing() {
        return isFailing();
      },
      clusterName: this.#options.bootstrap.message.node?.cluster ?? "",
      membership: (name) => this.clusters.get(name)?.countEndpoints(),
    };
  }

  #createLive(random: () => number): LiveConfig {
    const { clock, bootstrap, log, onChange } = this.#options;
    const dependencies = {
      clock,
      stats: this.stats,
      accessLogs: this.accessLogs,
      tls: this.tls,
      node: bootstrap.message.node,
      random,
      clusterDiscovery: this.onDemand.cluster,
      hostDiscovery: this.onDemand.host,
      callouts: this.runtime.callouts,
      maxSeries: this.#options.bootstrap.maxSeries,
      serverHealth: this.#serverHealth(),
      warn: (message: string) => log.warning(message),
    };
    const services = createFilterServices(dependencies);
    return new LiveConfig({
      clock,
      tls: this.tls,
      runtime: bootstrap.runtime,
      staticClusters: bootstrap.staticClusters,
      hasAds: bootstrap.ads !== undefined,
      isAdsDelta: bootstrap.ads?.isDelta ?? false,
      services,
      factories: createFactories(dependencies, services),
      dataPlane: {
        setCluster: (plan) => this.clusters.setCluster(plan),
        removeCluster: (name) => this.clusters.removeCluster(name),
        setEndpoints: (name, { localities, policy }) => this.clusters.setEndpoints(name, localities, policy),
        setListeners: (plans) => {
          this.applied = this.runtime.applyListeners(plans).then((failures) => {
            // A start that fails says so itself.
            if (this.#isStarted) for (const failure of failures) log.error(describeFailure(failure));
            return failures;
          });
        },
      },
      onChange: () => {
        // The cluster of a request may be asked for once its virtual host is there.
        this.onDemand.host.check();
        this.onDemand.cluster.check();
        onChange();
      },
      onClustersMissing: (names) => this.onDemand.cluster.missing(names),
      onHostsMissing: (names) => this.onDemand.host.missing(names),
    });
  }
}

/** Over all listeners, by the resource monitor or by the runtime key that came before it. */
function maxConnections({ overload, runtime }: BootstrapPlan): number | undefined {
  const legacy = runtime.get("overload.global_downstream_max_connections");
  return overload.maxConnections ?? (typeof legacy === "number" ? legacy : undefined);
}

function describeFailure({ name, message, hint }: ListenerFailure): string {
  return `listener '${name}': ${message} (${hint})`;
}
