import { join } from "node:path";
import type { Clock } from "@weft/base/clock";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { messageOf } from "@weft/base/errors";
import { MetricRegistry } from "@weft/base/metric-registry";
import type { TrustDomain } from "@weft/identity/spiffe-id";
import { AdsServer } from "@weft/xds/ads-server";
import { typeUrl } from "@weft/xds/type-url";
import type { Attempt } from "../api/serve-api.ts";
import type { CaLog } from "../ca/ca-log.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import type { CertificateAnswer, CertificateRequest } from "../ca/certificate-request.ts";
import type { JwtKeys } from "../ca/jwt-keys.ts";
import { RootRotation } from "../ca/root-rotation.ts";
import { DashboardSessions } from "../dashboard/sessions.ts";
import { clientStatus } from "../inspect/client-status.ts";
import { type JwksOptions, keyFetch } from "../jwks/key-fetch.ts";
import { KeySetCache } from "../jwks/key-set-cache.ts";
import { keySourcesOf } from "../model/key-source.ts";
import type { MeshSettings } from "../model/options.ts";
import { RequestHub } from "../observe/request-hub.ts";
import { RememberedWorkloads } from "../registry/remembered-workloads.ts";
import { WorkloadRegistry } from "../registry/workload-registry.ts";
import type { ClientStatus } from "../serve/client-status-routes.ts";
import { SnapshotBuilder } from "../snapshot/snapshot-builder.ts";
import type { Store } from "../store/store.ts";
import { MetricHistory } from "../telemetry/metric-history.ts";
import { AttemptRecord } from "./attempt-record.ts";
import { ConfigDirectory } from "./config-directory.ts";
import { ConfigSet } from "./config-set.ts";
import { ControlApi } from "./control-api.ts";
import { ConvergenceLog } from "./convergence-log.ts";
import { EventLog } from "./event-log.ts";
import { type DashboardSource, MeshDashboard, openDashboard } from "./mesh-dashboard.ts";
import { MeshPipeline } from "./mesh-pipeline.ts";
import { type FederationOptions, MeshTrust } from "./mesh-trust.ts";
import { metricsIntake } from "./metrics-intake.ts";
import { type CanaryReach, Outward } from "./outward.ts";
import { PilotMetrics } from "./pilot-metrics.ts";
import { ProcessMetrics } from "./process-metrics.ts";
import { inspectedClients, ProxySyncTable } from "./proxy-sync.ts";
import { PushLoop } from "./push-loop.ts";
import { readPilot } from "./read-pilot.ts";
import { VirtualAddresses } from "./virtual-addresses.ts";
import { XdsClients } from "./xds-clients.ts";

export interface CompositionOptions {
  readonly stateDir: string;
  readonly configDir?: string;
  /** Undefined: there is no dashboard. */
  readonly dashboard?: DashboardSource;
  readonly version: string;
  readonly clock: Clock;
  readonly log: CaLog;
  readonly trustDomain: TrustDomain;
  /** What MeshConfig says. */
  readonly settings?: Omit<MeshSettings, "trustDomain">;
  readonly store: Store;
  readonly authority: CertificateAuthority;
  readonly jwtKeys: Pick<JwtKeys, "keySet" | "onChange">;
  /** How the keys of token issuers are fetched; by default from public addresses, over TLS. */
  readonly jwks?: JwksOptions;
  readonly canary?: CanaryReach;
  readonly federation?: FederationOptions;
  /** Whether proxies that can are given only what they ask for, where no Sidecar says what they use. Default true. */
  readonly learnsScope?: boolean;
  /** The last proxy that a change concerns has acknowledged it. */
  readonly onConverged?: (elapsedMs: number) => void;
}

/**
 * The parts between the state and the listeners, in the order of data: what is configured and what is
 * registered make the mesh, the mesh makes snapshots, and the clients' answers are what `status` shows.
 */
export class Composition {
  readonly ads: AdsServer;
  readonly api: ControlApi;
  readonly metrics: PilotMetrics;
  readonly metricRegistry = new MetricRegistry();
  readonly #process: ProcessMetrics;
  readonly authority: CertificateAuthority;
  readonly requests: RequestHub;
  readonly takeMetrics: ReturnType<typeof metricsIntake>;
  readonly clientStatus: ClientStatus;
  readonly dashboard: MeshDashboard;
  readonly sessions: DashboardSessions;
  /** Where browsers of this machine reach the HTTP endpoints, once they listen: `http://127.0.0.1:15014`. */
  httpOrigin: string | undefined;
  readonly onError: (error: unknown) => void;
  /** Into the audit log. */
  readonly record: (attempt: Attempt) => void;
  isStarted = false;
  readonly #clock: Clock;
  readonly #log: CaLog;
  readonly #store: Store;
  readonly #config = new ConfigSet();
  readonly #directory: ConfigDirectory | undefined;
  readonly registry: WorkloadRegistry;
  readonly #keys: KeySetCache;
  readonly #remembered: RememberedWorkloads;
  readonly #history: MetricHistory;
  readonly #pipeline: MeshPipeline;
  readonly #builder = new SnapshotBuilder();
  readonly #clients: XdsClients;
  readonly rotation: RootRotation;
  readonly trust: MeshTrust;
  readonly #events: EventLog;
  readonly #pushes: PushLoop;
  readonly #sync: ProxySyncTable;
  /** Configuration has changed since the last push. */
  #isReconfigured = false;
  #generation = 0;
  /** Workloads that have left since the last push. */
  readonly #gone = new Set<string>();
  /** What asked for the next push. */
  readonly #reasons = new Set<string>();
  /** When the oldest change that no push holds yet was made. */
  #changedAtMs: number | undefined;

  constructor(options: CompositionOptions) {
    const { clock, log, store, authority, trustDomain, version, stateDir } = options;
    this.#clock = clock;
    this.sessions = new DashboardSessions(clock);
    this.#log = log;
    this.#store = store;
    this.authority = authority;
    this.#events = new EventLog(clock);
    this.onError = (error) => {
      this.metrics.internalErrors.add();
      log.error({ stack: error instanceof Error ? error.stack : undefined }, messageOf(error));
    };

    this.#config.load(store.resources.current());
    this.#directory = this.#openDirectory(options.configDir);
    this.registry = new WorkloadRegistry({ clock });
    this.#remembered = new RememberedWorkloads(join(stateDir, "workloads.json"), clock);
    this.registry.restore(this.#remembered.read());
    this.#keys = this.#openKeys(options.jwks ?? {});
    const settings = { ...options.settings, trustDomain };
    this.trust = new MeshTrust({
      ...options,
      settings,
      events: this.#events,
      onChange: () => this.#changed("trust"),
    });
    this.#pipeline = new MeshPipeline({
      config: this.#config,
      registry: this.registry,
      addresses: new VirtualAddresses(store.addresses),
      keys: this.#keys,
      settings,
    });

    const convergence = new ConvergenceLog();
    const sync = new ProxySyncTable(clock, (elapsedMs) => {
      convergence.add(elapsedMs);
      options.onConverged?.(elapsedMs);
      this.metrics.convergence.observe(elapsedMs / 1000);
    });
    this.#sync = sync;
    this.#history = new MetricHistory({ clock });
    this.#process = new ProcessMetrics(this.metricRegistry);
    this.metrics = new PilotMetrics(this.metricRegistry, version, () =>
      readPilot({
        sync,
        authority,
        config: this.#config,
        pipeline: this.#pipeline,
        registry: this.registry,
        history: this.#history,
      }),
    );
    this.#pushes = new PushLoop(() => this.#push(), this.onError);
    this.#clients = new XdsClients({
      clock,
      trustDomain,
      registry: this.registry,
      pipeline: this.#pipeline,
      builder: this.#builder,
      learnsScope: options.learnsScope ?? true,
      sync,
      events: this.#events,
      trust: () => this.trust.secrets,
      mayBeGateway: (identity) => authority.mayBeGateway(identity),
      metrics: this.metrics,
      onError: this.onError,
    });
    const { admit } = this.#clients;
    this.ads = new AdsServer({
      clock,
      admit,
      events: this.#clients,
      customTypes: [typeUrl.health, typeUrl.trustReport],
    });

    this.rotation = new RootRotation({
      trust: authority.trust,
      successor: authority.successor,
      store,
      clock,
      log,
      holders: () => this.#clients.trustHolders(),
      outsidersMs: this.trust.outsidersMs,
    });

    this.clientStatus = (request) => clientStatus(request, inspectedClients(sync.proxies));
    this.takeMetrics = metricsIntake(this.#history, this.registry);
    this.requests = new RequestHub({ clock, workloadIds: () => [...this.registry.workloads.keys()] });
    const sessions = this.sessions;
    const refusals = new AttemptRecord(store.audit, clock);
    this.record = (attempt) => refusals.add(attempt);
    this.api = new ControlApi({
      clock,
      audit: store.audit,
      version,
      trustDomain,
      store: store.resources,
      rolloutStore: store.rollouts,
      outward: new Outward(clock, options.canary),
      canaryStore: store.canaries,
      onError: this.onError,
      authority,
      rotation: this.rotation,
      config: this.#config,
      pipeline: this.#pipeline,
      registry: this.registry,
      sync,
      convergence,
      history: this.#history,
      events: this.#events,
      federation: this.trust,
      requests: this.requests,
      openDashboard: (caller, origin) => openDashboard(sessions, caller, origin ?? this.httpOrigin, clock),
      questions: () => this.dashboard,
      onConfigChange: () => {
        this.#isReconfigured = true;
        this.#changed("config");
      },
    });
    const undone = this.api.changes.undoUnconfirmed();
    if (undone !== undefined) log.warn({}, undone);
    this.dashboard = new MeshDashboard({
      clock,
      api: this.api,
      pipeline: this.#pipeline,
      events: this.#events,
      sessions,
      source: options.dashboard,
      onError: this.onError,
    });
    this.registry.onChange(({ workloads, removed }) => {
      for (const id of removed) {
        this.#history.forget(id);
        this.#gone.add(id);
        this.#events.add("leave", `${id} left the mesh`);
      }
      this.#remembered.save(workloads);
      this.#changed("endpoint");
    });
  }

  /** Whose policies hold for the whole mesh. */
  get rootNamespace(): string {
    return this.#pipeline.current.mesh.options.rootNamespace;
  }

  /** Resolves when the keys of all issuers have been asked for, or after `withinMs`. */
  keysKnown(withinMs: number): Promise<void> {
    this.#keys.follow(keySourcesOf(this.#config.resources));
    return this.#keys.settled(withinMs);
  }

  /** From here on the files of the directory are followed. */
  start(): void {
    this.#directory?.start();
    this.trust.follow(this.#config.resources);
    this.dashboard.start();
    this.rotation.resume();
    this.api.rollouts.resume();
    this.api.canaries.start();
    this.isStarted = true;
    this.metrics.started(process.uptime());
  }

  async createCertificate(request: CertificateRequest): Promise<CertificateAnswer> {
    const answer = await this.#askAuthority(request);
    const what = answer.isIssued
      ? `certificate for ${answer.spiffeId}, until ${new Date(answer.notAfterMs).toISOString()}`
      : `no certificate for ${request.address}: ${answer.message}`;
    this.#events.add(answer.isIssued ? "certificate" : "certificate refused", what);
    return answer;
  }

  async #askAuthority(request: CertificateRequest): Promise<CertificateAnswer> {
    let answer: CertificateAnswer | undefined;
    try {
      answer = await this.authority.createCertificate(request);
      return answer;
    } finally {
      this.metrics.certificateAsked(answer);
    }
  }

  /** Resolves when every change so far has been pushed. */
  idle(): Promise<void> {
    return this.#pushes.idle();
  }

  /** Connected proxies that hold all there is to tell them. */
  countInSync(): number {
    let count = 0;
    for (const proxy of this.#sync.proxies) if (proxy.state === "synced") count += 1;
    return count;
  }

  /** Resolves when the registrations are remembered. */
  async close(): Promise<void> {
    this.isStarted = false;
    this.#process.close();
    this.#keys.close();
    this.trust.close();
    this.dashboard.close();
    this.#directory?.close();
    this.rotation.close();
    this.api.canaries.close();
    this.api.rollouts.close();
    this.registry.close();
    await this.#remembered.flush();
  }

  #openKeys(options: JwksOptions): KeySetCache {
    return new KeySetCache({
      clock: this.#clock,
      fetch: keyFetch(options),
      onChange: () => {
        this.#isReconfigured = true;
        if (this.isStarted) this.#changed("keys");
      },
      onFetched: (url, problem) => {
        this.metrics.keySetFetched(problem === undefined);
        if (problem === undefined) return;
        this.#log.warn({ url }, `keys of ${url} could not be fetched: ${problem}`);
        this.#events.add("keys", `${url}: ${problem}`);
      },
    });
  }

  #openDirectory(directory: string | undefined): ConfigDirectory | undefined {
    if (directory === undefined) return undefined;
    const opened = new ConfigDirectory({
      directory,
      clock: this.#clock,
      onChange: () => this.#readDirectory(opened),
      onProblem: (problem) => this.#log.warn({}, problem),
    });
    this.#readDirectory(opened);
    return opened;
  }

  #readDirectory(directory: ConfigDirectory): void {
    if (!this.#config.setDirectory(directory.files)) return;
    const errors = this.#config.diagnostics.filter((diagnostic) => diagnostic.severity === "error");
    for (const error of errors.slice(0, 20)) {
      this.#log.error({ code: error.code }, `not in force: ${formatDiagnostic(error)}`);
      this.#events.add("config", formatDiagnostic(error));
    }
    this.#isReconfigured = true;
    if (this.isStarted) this.#changed("config");
  }

  #changed(trigger: "config" | "endpoint" | "keys" | "trust"): void {
    this.#changedAtMs ??= this.#clock.monotonicMs();
    this.#reasons.add(trigger);
    this.metrics.changed(trigger);
    this.#pushes.request();
  }

  /** A push takes one turn of the event loop or more, so that a burst of changes becomes a few pushes. */
  async #push(): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    const changedAtMs = this.#changedAtMs ?? startMs;
    this.#changedAtMs = undefined;
    this.metrics.pushed(this.#reasons);
    this.#reasons.clear();
    if (this.#isReconfigured) {
      this.#keys.follow(keySourcesOf(this.#config.resources));
      this.trust.follow(this.#config.resources);
    }
    if (!this.#pipeline.follow() || this.#isReconfigured) this.#pipeline.rebuild();
    this.#isReconfigured = false;
    const { workloads } = this.#pipeline.current.mesh;
    for (const id of this.#gone) if (!workloads.has(id)) this.#builder.forget(id);
    this.#gone.clear();
    this.#generation += 1;
    const { revision } = this.#store.resources;
    await this.#clients.push({ version: `${revision}/${this.#generation}`, revision, changedAtMs });
    this.metrics.pushTime.observe((this.#clock.monotonicMs() - startMs) / 1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
