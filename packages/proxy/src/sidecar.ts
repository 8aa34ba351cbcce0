import type { Clock } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import { MetricRegistry } from "@weft/base/metric-registry";
import { type AdminServer, serveAdmin } from "./admin/admin-server.ts";
import { adminEndpoints, type ServerState } from "./admin/endpoints.ts";
import type { Log } from "./admin/log.ts";
import { proxyViews } from "./admin/proxy-views.ts";
import { ClusterManager } from "./cluster/cluster-manager.ts";
import { retireEndpointPools } from "./cluster/endpoint-pools.ts";
import type { BootstrapPlan } from "./config/bootstrap.ts";
import { createFactories, createFilterServices } from "./config/create-factories.ts";
import { acceptedResources } from "./config/kept/accepted-resources.ts";
import { ConfigKeeper } from "./config/kept/config-keeper.ts";
import { configOwner } from "./config/kept/config-owner.ts";
import type { KeptConfig } from "./config/kept/kept-format.ts";
import { LiveConfig } from "./config/live-config.ts";
import type { openStream } from "./config/open-stream.ts";
import { compileStaticResources } from "./config/static-resources.ts";
import { TlsContexts } from "./config/tls-contexts.ts";
import { type KeptSource, XdsSession } from "./config/xds-session.ts";
import { createXdsStats } from "./config/xds-stats.ts";
import { probeFactory } from "./health-check/probe.ts";
import type { ListenerFailure } from "./listener/listener-set.ts";
import { createRuntime } from "./listener/runtime.ts";
import { MemoryRelease } from "./memory-release.ts";
import type { SocketAddress } from "./net/socket-address.ts";
import { Timers } from "./net/timers.ts";
import { OverloadManager } from "./overload/overload-manager.ts";
import { OverloadState } from "./overload/overload-state.ts";
import { AccessLogs } from "./telemetry/access-log.ts";
import { EnvoyStats } from "./telemetry/envoy-stats.ts";
import { ServerStats } from "./telemetry/server-stats.ts";

export interface SidecarOptions {
  readonly configPath: string;
  /** How long connections may finish once draining has begun. */
  readonly drainTimeMs: number;
  /** For `/server_info`. */
  readonly version: string;
  /** Where the configuration received is kept for a restart while the management server is away. */
  readonly keptConfigPath?: string;
}

/** How long a management server has to say something before what an earlier run kept is used. */
const keptAfterMs = 1_000;

/**
 * Composes a sidecar from a bootstrap: configuration decides which clusters and
 * listeners there are, the runtime serves them, and the admin endpoint shows it.
 *
 * Making one compiles the whole bootstrap and binds nothing, so that a mistake
 * in the file is found before anything is started.
 */
export class Sidecar {
  readonly accessLogs: AccessLogs;
  readonly quitRequested: Promise<void>;
  readonly #options: SidecarOptions;
  readonly #bootstrap: BootstrapPlan;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #stats = new EnvoyStats(new MetricRegistry());
  readonly #tls = new TlsContexts();
  readonly #serverStats: ServerStats;
  readonly #probeTimers: Timers;
  readonly #clusters: ClusterManager;
  readonly #runtime: ReturnType<typeof createRuntime>;
  readonly #overload: OverloadManager;
  readonly #live: LiveConfig;
  readonly #session: XdsSession;
  readonly #keeper: ConfigKeeper | undefined;
  #memory: MemoryRelease | undefined;
  /** Loaded only where something is to be asked for: gRPC and HTTP/2 cost memory. */
  #openStream: typeof openStream | undefined;
  readonly #static: ReturnType<typeof compileStaticResources>;
  #quit: () => void = () => {};
  #admin: AdminServer | undefined;
  #phase: "PRE_INITIALIZING" | "INITIALIZING" | "LIVE" = "PRE_INITIALIZING";
  #isDraining = false;
  #isFailingHealthChecks = false;
  #keptInForce: KeptConfig | undefined;
  #applied: Promise<readonly ListenerFailure[]> = Promise.resolve([]);

  constructor(bootstrap: BootstrapPlan, options: SidecarOptions, log: Log, clock: Clock) {
    this.#bootstrap = bootstrap;
    this.#options = options;
    this.#log = log;
    this.#clock = clock;
    this.accessLogs = new AccessLogs(clock, this.#stats);
    this.quitRequested = new Promise((resolve) => {
      this.#quit = resolve;
    });
    this.#probeTimers = new Timers(clock);
    this.#serverStats = new ServerStats(this.#stats, { clock, concurrency: 1 });
    this.#clusters = new ClusterManager({
      clock,
      stats: this.#stats,
      localCluster: bootstrap.localCluster,
      createProbe: probeFactory({
        timers: this.#probeTimers,
        onFault: (error) => log.error(`a defect in a health check was contained: ${messageOf(error)}`),
      }),
      onEndpointFailed: retireEndpointPools,
      onEndpointRemoved: (endpoint) => this.#runtime.onEndpointRemoved(endpoint),
      onWarm: () => this.#update(),
    });
    const random = Math.random;
    const overload = new OverloadState(random);
    this.#runtime = createRuntime({
      clock,
      overload,
      maxConnections: maxConnections(bootstrap),
      clusters: this.#clusters,
      stats: this.#stats,
      log: (level, message, fields) => log[level](`${message} ${JSON.stringify(fields)}`),
    });
    this.#overload = new OverloadManager({
      clock,
      plan: bootstrap.overload.plan,
      state: overload,
      stats: this.#stats,
      pauseAccepting: (isPaused) => this.#runtime.pauseAccepting(isPaused),
      releaseMemory: () => this.#memory?.releaseNow(),
      report: (message) => log.warning(message),
    });
    const dependencies = {
      clock,
      stats: this.#stats,
      accessLogs: this.accessLogs,
      tls: this.#tls,
      node: bootstrap.message.node,
      random,
      callouts: this.#runtime.callouts,
    };
    const services = createFilterServices(dependencies);
    this.#live = new LiveConfig({
      clock,
      tls: this.#tls,
      runtime: bootstrap.runtime,
      staticClusters: bootstrap.staticClusters,
      hasAds: bootstrap.ads !== undefined,
      services,
      factories: createFactories(dependencies, services),
      dataPlane: {
        setCluster: (plan) => this.#clusters.setCluster(plan),
        removeCluster: (name) => this.#clusters.removeCluster(name),
        setEndpoints: (name, { localities, policy }) => this.#clusters.setEndpoints(name, localities, policy),
        setListeners: (plans) => {
          this.#applied = this.#runtime.applyListeners(plans).then((failures) => {
            // A start that fails says so itself.
            if (this.#phase !== "PRE_INITIALIZING") {
              for (const failure of failures) log.error(describeFailure(failure));
            }
            return failures;
          });
        },
      },
      onChange: () => this.#update(),
    });
    this.#static = compileStaticResources(bootstrap, this.#live.decoder, this.#tls);
    const adsCluster = bootstrap.ads?.cluster;
    const keeper = options.keptConfigPath ? this.#keepConfig(options.keptConfigPath) : undefined;
    this.#keeper = keeper;
    const xdsStats = createXdsStats(this.#stats);
    this.#session = new XdsSession({
      clock,
      live: this.#live,
      lds: bootstrap.lds,
      cds: bootstrap.cds,
      stats: xdsStats,
      isDataPlaneWarm: () => this.#clusters.isWarm,
      isReachable: (cluster = adsCluster) =>
        cluster !== undefined && this.#live.clusters.get(cluster) !== undefined,
      open: (source, type, handle) =>
        this.#openStream!(source, type, handle, {
          clock,
          bootstrap,
          cluster: (name) => this.#live.clusters.latest(name)?.plan,
          onConnected: (isConnected) => xdsStats.onConnected(isConnected),
          warn: (message) => log.warning(message),
          inform: (message) => log.info(message),
          debug: (message) => log.debug(message),
        }),
      ...(keeper && { kept: this.#keptSource(keeper) }),
      onInitialized: () => this.#onInitialized(),
    });
  }

  /** Serves. Rejects with a `UserError` when an address of the bootstrap cannot be bound. */
  async start(): Promise<void> {
    await this.#serveAdmin();
    const { clusters, listeners } = this.#static;
    const asks = [...clusters, ...listeners].some(({ needs }) => needs.routes.size + needs.secrets.size > 0);
    const { ads, lds, cds } = this.#bootstrap;
    if (ads || lds || cds || asks) this.#openStream = (await import("./config/open-stream.ts")).openStream;
    this.#live.addStatic(clusters, listeners);
    const failures = await this.#applied;
    if (failures.length > 0) {
      const places = listeners.map(({ plan }, i) => [plan.name, `static_resources.listeners[${i}].address`]);
      const pathOf = new Map(places as [string, string][]);
      const lines = failures.map(({ name, message }) => {
        const path = pathOf.get(name) ?? "static_resources.listeners";
        return `${this.#bootstrap.place({ path, message, hint: undefined })}listener '${name}': ${message}`;
      });
      throw new UserError(lines.join("\n"), { hint: `${failures[0]!.hint}; nothing was started` });
    }
    this.#phase = "INITIALIZING";
    this.#memory = new MemoryRelease({ clock: this.#clock });
    this.#session.update();
  }

  /** Where the admin endpoint listens, its port resolved. */
  get adminAddress(): SocketAddress | undefined {
    return this.#admin?.address;
  }

  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    this.#serverStats.setLive(false);
    await this.#applied;
    await this.#runtime.drain(graceMs);
  }

  async close(): Promise<void> {
    this.#session.close();
    await this.#keeper?.close();
    this.#live.close();
    this.#admin?.close();
    await this.#runtime.close();
    this.#clusters.close();
    this.#probeTimers.close();
    this.#overload.close();
    this.#serverStats.stop();
    this.#memory?.stop();
    this.accessLogs.close();
  }

  #state(): ServerState {
    return this.#isDraining || this.#isFailingHealthChecks ? "DRAINING" : this.#phase;
  }

  async #serveAdmin(): Promise<void> {
    const { admin } = this.#bootstrap;
    if (!admin) return;
    const views = proxyViews({
      clock: this.#clock,
      bootstrap: this.#bootstrap,
      live: this.#live,
      tls: this.#tls,
      clusters: this.#clusters,
      stats: this.#stats,
      log: this.#log,
      version: this.#options.version,
      configPath: this.#options.configPath,
      state: () => this.#state(),
      keptInForce: () => this.#keptInForce,
      listeners: () =>
        this.#runtime
          .listeners()
          .flatMap(({ name, addresses }) => addresses.map((address) => ({ name, address }))),
    });
    const endpoints = adminEndpoints(views, {
      drainListeners: ({ graceful }) => {
        const graceMs = this.#options.drainTimeMs;
        void this.drain(graceful ? graceMs : 0);
      },
      quit: () => this.#quit(),
      failHealthCheck: (isFailed) => {
        this.#isFailingHealthChecks = isFailed;
      },
      setLogLevel: (level) => {
        this.#log.level = level;
      },
    });
    try {
      this.#admin = await serveAdmin(admin, endpoints);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const { message, hint } = error;
      const place = this.#bootstrap.place({ path: "admin.address", message, hint });
      throw new UserError(`${place}${message}`, { hint, cause: error });
    }
  }

  #update(): void {
    // A change during construction has nothing to subscribe to yet.
    if (this.#phase === "PRE_INITIALIZING") return;
    this.#session.update();
    if (this.#phase === "LIVE") this.#keeper?.changed();
  }

  #keepConfig(path: string): ConfigKeeper {
    const { registry } = this.#stats;
    const counter = (name: string, help: string) => registry.counter(`weft_kept_config_${name}`, help).with();
    return new ConfigKeeper({
      clock: this.#clock,
      path,
      owner: configOwner(this.#bootstrap),
      resources: () => acceptedResources(this.#live, this.#tls, this.#bootstrap),
      stats: {
        writes: counter("writes_total", "Times the configuration received was written to disk"),
        failures: counter("write_failures_total", "Times it could not be"),
        inForce: registry
          .gauge("weft_kept_config_in_force", "1 while the configuration of an earlier run is served")
          .with(),
      },
      warn: (message) => this.#log.warning(message),
    });
  }

  #keptSource(keeper: ConfigKeeper): KeptSource {
    return {
      afterMs: keptAfterMs,
      read: () => keeper.read(),
      accepted: () => acceptedResources(this.#live, this.#tls, this.#bootstrap),
      onInForce: (kept) => {
        this.#keptInForce = kept;
        keeper.setInForce(kept);
      },
    };
  }

  #onInitialized(): void {
    void this.#applied.then(() => {
      this.#phase = "LIVE";
      this.#serverStats.setLive(true);
      this.#log.info("all configuration is in force; serving");
      this.#keeper?.changed();
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
