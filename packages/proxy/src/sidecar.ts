import { writeFileSync } from "node:fs";
import type { Clock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import { typeUrl } from "@weft/xds/type-url";
import { type AdminServer, serveAdmin } from "./admin/admin-server.ts";
import { certificateTexts } from "./admin/certificates.ts";
import { adminEndpoints, type ServerState } from "./admin/endpoints.ts";
import type { Log } from "./admin/log.ts";
import { proxyViews } from "./admin/proxy-views.ts";
import type { BootstrapPlan } from "./config/bootstrap.ts";
import { acceptedResources } from "./config/kept/accepted-resources.ts";
import { ConfigKeeper } from "./config/kept/config-keeper.ts";
import { configOwner } from "./config/kept/config-owner.ts";
import { type KeptConfig, type KeptResource, wantedClusterType } from "./config/kept/kept-format.ts";
import type { openStream } from "./config/open-stream.ts";
import { type KeptSource, XdsSession } from "./config/xds-session.ts";
import { createXdsStats } from "./config/xds-stats.ts";
import { DataPlane } from "./data-plane.ts";
import type { DrainPlan } from "./listener/listener-set.ts";
import { formatAddress, type SocketAddress } from "./net/socket-address.ts";
import { observeRequests } from "./observe/observe-requests.ts";
import type { InheritedSockets } from "./restart/inherited-sockets.ts";
import { tellConfiguration } from "./telemetry/configuration-stats.ts";
import type { EnvoyStats } from "./telemetry/envoy-stats.ts";
import { addStats, copyStats, type StatsCopy } from "./telemetry/stats-copy.ts";
import type { StatsFlusher } from "./telemetry/stats-flusher.ts";

import type { WorkerPool } from "./workers/worker-pool.ts";

export interface SidecarOptions {
  /** For `/server_info`, by Envoy's names. */
  readonly commandLine?: Readonly<Record<string, unknown>>;
  /** File that is given the address of the admin endpoint once it answers. */
  readonly adminAddressPath?: string;
  /** How connections of listeners that are replaced, removed or drained leave. */
  readonly drain?: DrainPlan | undefined;
  /** For `/server_info`. */
  readonly version: string;
  /** Where the configuration received is kept for a restart while the management server is away. */
  readonly keptConfigPath?: string;
  /** What the process before this one left. */
  readonly inherited?: InheritedSockets;
  /** How many processes came before. Default 0. */
  readonly epoch?: number;
  /** Unix socket on which the agent watches requests. */
  readonly requestsSocketPath?: string;
  /** The other workers, where there is more than one. */
  readonly workers?: WorkerPool;
}

/** Names the admin endpoint's socket among those that are handed over. */
const adminKey = "admin";

/** How long a management server has to say something before what an earlier run kept is used. */
const keptAfterMs = 1_000;

/**
 * Composes a sidecar from a bootstrap: configuration decides which clusters and
 * listeners there are, the data plane serves them, and the admin endpoint shows it.
 *
 * Making one compiles the whole bootstrap and binds nothing, so that a mistake
 * in the file is found before anything is started.
 */
export class Sidecar {
  readonly quitRequested: Promise<void>;
  readonly #serving = Promise.withResolvers<void>();
  readonly #options: SidecarOptions;
  readonly #bootstrap: BootstrapPlan;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #plane: DataPlane;
  readonly #workers: WorkerPool | undefined;
  readonly #session: XdsSession;
  readonly #keeper: ConfigKeeper | undefined;
  /** Loaded only where something is to be asked for: gRPC and HTTP/2 cost memory. */
  #openStream: typeof openStream | undefined;
  #quit: () => void = () => {};
  #admin: AdminServer | undefined;
  #requests: { close(): void } | undefined;
  #former: StatsCopy | undefined;
  #flusher: StatsFlusher | undefined;
  #phase: "PRE_INITIALIZING" | "INITIALIZING" | "LIVE" = "PRE_INITIALIZING";
  #isDraining = false;
  #keptInForce: KeptConfig | undefined;

  constructor(bootstrap: BootstrapPlan, options: SidecarOptions, log: Log, clock: Clock) {
    this.#bootstrap = bootstrap;
    this.#options = options;
    this.#log = log;
    this.#clock = clock;
    this.quitRequested = new Promise((resolve) => {
      this.#quit = resolve;
    });
    const { workers } = options;
    this.#plane = new DataPlane({
      clock,
      log,
      bootstrap,
      concurrency: (workers?.count ?? 0) + 1,
      drain: options.drain,
      ...(options.inherited && { bindSocket: options.inherited.bind }),
      onChange: () => this.#update(),
      onWanted: () => this.#update(),
    });
    this.#workers = workers;
    const { live, clusters, stats, tls } = this.#plane;
    tellConfiguration(stats, {
      state: () => this.#state(),
      epoch: options.epoch ?? 0,
      runtimeLayers: bootstrap.message.layeredRuntime?.layers.length ?? 0,
      runtimeKeys: bootstrap.runtime.size,
      activeListeners: () => this.#plane.runtime.listeners().length,
      warmingListeners: () => [...live.listeners.waiting()].length,
      certificates: () => certificateTexts(tls),
      now: () => clock.now(),
    });
    const adsCluster = bootstrap.ads?.cluster;
    const keeper = options.keptConfigPath ? this.#keepConfig(options.keptConfigPath) : undefined;
    this.#keeper = keeper;
    const xdsStats = createXdsStats(stats);
    this.#session = new XdsSession({
      clock,
      live,
      lds: bootstrap.lds,
      cds: bootstrap.cds,
      stats: xdsStats,
      ...(workers && { onAccepted: (update) => workers.relay(update) }),
      wantedClusters: () => this.#plane.onDemand.cluster,
      wantedHosts: () => this.#plane.onDemand.host,
      isDataPlaneWarm: () => clusters.isWarm,
      isReachable: (cluster = adsCluster) =>
        cluster !== undefined && live.clusters.get(cluster) !== undefined,
      open: (source, type, handle) =>
        this.#openStream!(source, type, handle, {
          clock,
          bootstrap,
          cluster: (name) => live.clusters.latest(name)?.plan,
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
    // A successor answers operators when it serves: until then its predecessor does.
    if (!this.#options.inherited) await this.#serveAdmin();
    const { requestsSocketPath } = this.#options;
    if (requestsSocketPath)
      this.#requests = await observeRequests(
        this.#plane,
        this.#bootstrap,
        requestsSocketPath,
        this.#clock,
        this.#workers,
      );
    const { clusters, listeners } = this.#plane.static;
    const asks = [...clusters, ...listeners].some(({ needs }) => needs.routes.size + needs.secrets.size > 0);
    const { ads, lds, cds } = this.#bootstrap;
    if (ads || lds || cds || asks) this.#openStream = (await import("./config/open-stream.ts")).openStream;
    const failures = await this.#plane.start();
    if (failures.length > 0) {
      const places = listeners.map(({ plan }, i) => [plan.name, `static_resources.listeners[${i}].address`]);
      const pathOf = new Map(places as [string, string][]);
      const lines = failures.map(({ name, message }) => {
        const path = pathOf.get(name) ?? "static_resources.listeners";
        return `${this.#bootstrap.place({ path, message, hint: undefined })}listener '${name}': ${message}`;
      });
      throw new UserError(lines.join("\n"), { hint: `${failures[0]!.hint}; nothing was started` });
    }
    await this.#workers?.start({
      share: (key) => this.#plane.runtime.shareSocket(key),
      onWanted: (kind, source, name) => void this.#plane.onDemand[kind].want(source, name),
    });
    const { statsSinks, keepsStat } = this.#bootstrap;
    if (statsSinks) {
      const { StatsFlusher } = await import("./telemetry/stats-flusher.ts");
      this.#flusher = new StatsFlusher({
        clock: this.#clock,
        ...statsSinks,
        keeps: keepsStat,
        stats: () => this.#ownStats(),
      });
    }
    this.#wantAsBefore();
    this.#phase = "INITIALIZING";
    this.#session.update();
  }

  /** Copies of all listening sockets, that of the admin endpoint among them, for a process that takes over. */
  async shareSockets(): Promise<readonly (readonly [key: string, fd: number])[]> {
    const admin = this.#admin?.duplicate();
    const shared = await this.#plane.runtime.shareSockets();
    return admin === undefined ? shared : [...shared, [adminKey, admin]];
  }

  /** Another process has taken over: takes no more connections, answers no operator, and lets what it has finish. */
  async handOver(graceMs: number): Promise<void> {
    this.#admin?.close();
    this.#workers?.stopAccepting();
    await this.#plane.runtime.stopAccepting();
    await this.drain(graceMs);
  }

  /** What all workers have counted so far. */
  async copyStats(): Promise<StatsCopy> {
    return copyStats(await this.#stats());
  }

  /** What the process before this one had counted; shown with this one's. */
  addFormerStats(former: StatsCopy): void {
    this.#former = former.filter(({ kind }) => kind !== "gauge");
  }

  /** Of all workers, and of the process before this one. */
  #resetCounters(): void {
    this.#plane.stats.resetCounters();
    this.#workers?.resetCounters();
    this.#former = this.#former?.filter(({ kind }) => kind !== "counter");
  }

  async #ownStats(): Promise<EnvoyStats> {
    return (await this.#workers?.addTo(this.#plane.stats)) ?? this.#plane.stats;
  }

  async #stats(): Promise<EnvoyStats> {
    const own = await this.#ownStats();
    return this.#former ? addStats([copyStats(own), this.#former]) : own;
  }

  /** Where the admin endpoint listens, its port resolved. */
  get adminAddress(): SocketAddress | undefined {
    return this.#admin?.address;
  }

  /** Resolves once all configuration is in force. */
  get serving(): Promise<void> {
    return this.#serving.promise;
  }

  /** Opens the files of access logs anew, after they have been rotated. */
  reopenLogs(): void {
    this.#plane.accessLogs.reopen();
    this.#workers?.reopenLogs();
  }

  /** The process ends: asks all clients to leave; resolves when they have, or after `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    await Promise.all([this.#plane.drain(graceMs), this.#workers?.drain(graceMs)]);
  }

  async close(): Promise<void> {
    this.#session.close();
    await this.#keeper?.close();
    this.#admin?.close();
    this.#requests?.close();
    await this.#flusher?.close();
    await Promise.all([this.#plane.close(), this.#workers?.close()]);
  }

  #state(): ServerState {
    return this.#isDraining || this.#plane.isFailingHealthChecks ? "DRAINING" : this.#phase;
  }

  async #serveAdmin(): Promise<void> {
    const { admin } = this.#bootstrap;
    if (!admin) return;
    const views = proxyViews({
      clock: this.#clock,
      bootstrap: this.#bootstrap,
      live: this.#plane.live,
      tls: this.#plane.tls,
      clusters: this.#plane.clusters,
      stats: () => this.#stats(),
      epoch: this.#options.epoch ?? 0,
      concurrency: (this.#workers?.count ?? 0) + 1,
      log: this.#log,
      version: this.#options.version,
      commandLine: this.#options.commandLine ?? {},
      state: () => this.#state(),
      keptInForce: () => this.#keptInForce,
      listeners: () =>
        this.#plane.runtime
          .listeners()
          .flatMap(({ name, addresses }) => addresses.map((address) => ({ name, address }))),
    });
    const endpoints = adminEndpoints(views, {
      drainListeners: (request) => {
        void this.#plane.runtime.drainListeners(request);
        this.#workers?.drainListeners(request);
      },
      quit: () => this.#quit(),
      failHealthCheck: (isFailed) => {
        this.#plane.failHealthChecks(isFailed);
        this.#workers?.failHealthChecks(isFailed);
      },
      setLogLevel: (level) => {
        this.#log.level = level;
        this.#workers?.setLogLevel(level);
      },
      resetCounters: () => this.#resetCounters(),
      reopenLogs: () => this.reopenLogs(),
    });
    try {
      this.#admin = await serveAdmin(admin, endpoints, this.#options.inherited?.take(adminKey));
      this.#tellAdminAddress(this.#admin.address);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const { message, hint } = error;
      const place = this.#bootstrap.place({ path: "admin.address", message, hint });
      throw new UserError(`${place}${message}`, { hint, cause: error });
    }
  }

  #tellAdminAddress(address: SocketAddress): void {
    const { adminAddressPath } = this.#options;
    if (!adminAddressPath) return;
    try {
      writeFileSync(adminAddressPath, formatAddress(address));
    } catch (error) {
      this.#log.error(`the admin address could not be written to ${adminAddressPath}: it ${reasonOf(error)}`);
    }
  }

  #update(): void {
    // A change during construction has nothing to subscribe to yet.
    if (this.#phase === "PRE_INITIALIZING") return;
    this.#session.update();
    if (this.#phase === "LIVE") this.#keeper?.changed();
  }

  #keepConfig(path: string): ConfigKeeper {
    const { registry } = this.#plane.stats;
    const counter = (name: string, help: string) => registry.counter(`weft_kept_config_${name}`, help).with();
    return new ConfigKeeper({
      clock: this.#clock,
      path,
      owner: configOwner(this.#bootstrap),
      resources: () => this.#accepted(),
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

  #accepted(): Iterable<KeptResource> {
    const { live, tls, onDemand } = this.#plane;
    return acceptedResources(live, tls, this.#bootstrap, onDemand.cluster.wanted);
  }

  /** What requests asked for in an earlier run is asked for before the first of this one. */
  #wantAsBefore(): void {
    for (const { type, source, name } of this.#keeper?.read()?.resources ?? []) {
      const { cluster, host } = this.#plane.onDemand;
      if (type === wantedClusterType) cluster.want(source, name);
      if (type === typeUrl.virtualHost) host.want(source, name);
    }
  }

  #keptSource(keeper: ConfigKeeper): KeptSource {
    return {
      afterMs: keptAfterMs,
      read: () => keeper.read(),
      accepted: () => this.#accepted(),
      onInForce: (kept) => {
        this.#keptInForce = kept;
        keeper.setInForce(kept);
      },
    };
  }

  #onInitialized(): void {
    void this.#plane.applied.then(async () => {
      if (this.#options.inherited) await this.#serveAdmin();
      this.#options.inherited?.closeRest();
      this.#phase = "LIVE";
      this.#plane.serverStats.onInitialized();
      this.#log.info("all configuration is in force; serving");
      this.#keeper?.changed();
      this.#serving.resolve();
    });
  }
}
