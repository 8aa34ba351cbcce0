import { join } from "node:path";
import { type Clock, systemClock } from "@weft/base/clock";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { messageOf, UserError } from "@weft/base/errors";
import { parseTrustDomain, type TrustDomain } from "@weft/identity/spiffe-id";
import { AdsServer } from "@weft/xds/ads-server";
import { typeUrl } from "@weft/xds/type-url";
import pino from "pino";
import { type ApiServer, startApiServer } from "./api/server.ts";
import type { CaLog } from "./ca/ca-log.ts";
import { type CertificateAuthority, openCertificateAuthority } from "./ca/certificate-authority.ts";
import type { ServingCertificate, ServingKeyPair } from "./ca/serving-certificate.ts";
import { ConfigDirectory } from "./compose/config-directory.ts";
import { ConfigSet } from "./compose/config-set.ts";
import { ControlApi } from "./compose/control-api.ts";
import { ConvergenceLog } from "./compose/convergence-log.ts";
import { EventLog } from "./compose/event-log.ts";
import { type HttpEndpoints, startHttpEndpoints } from "./compose/http-endpoints.ts";
import { MeshPipeline } from "./compose/mesh-pipeline.ts";
import { metricsIntake } from "./compose/metrics-intake.ts";
import { PilotMetrics } from "./compose/pilot-metrics.ts";
import { ProxySyncTable } from "./compose/proxy-sync.ts";
import { PushLoop } from "./compose/push-loop.ts";
import { VirtualAddresses } from "./compose/virtual-addresses.ts";
import { XdsClients } from "./compose/xds-clients.ts";
import { RememberedWorkloads } from "./registry/remembered-workloads.ts";
import { WorkloadRegistry } from "./registry/workload-registry.ts";
import { GrpcListeners } from "./serve/grpc-listeners.ts";
import { SnapshotBuilder } from "./snapshot/snapshot-builder.ts";
import { openStore } from "./store/open-store.ts";
import type { Store } from "./store/store.ts";
import { MetricHistory } from "./telemetry/metric-history.ts";

export interface ControlPlaneOptions {
  readonly stateDir: string;
  /** Directory of YAML to watch, beside what is applied through the API. */
  readonly configDir?: string;
  readonly trustDomain: string;
  /** Where agents and sidecars connect. */
  readonly address: string;
  /** xDS, certificates and metrics over TLS; 0 takes a free port, as for the others. */
  readonly port: number;
  /** Plain xDS, which only looks; undefined: none. */
  readonly plain?: { readonly address: string; readonly port: number };
  readonly httpAddress: string;
  readonly httpPort: number;
  readonly certificateTtlMs?: number;
  readonly version: string;
  /** Default: JSON lines on stderr. */
  readonly log?: CaLog;
  /** Default the system's clock. */
  readonly clock?: Clock;
}

export interface ControlPlane {
  readonly port: number;
  readonly plainPort: number | undefined;
  readonly httpPort: number;
  readonly socketPath: string;
  /** Stops taking changes, tells clients to go, and keeps everything for the next start. */
  close(): Promise<void>;
}

/** How long clients get to leave by themselves. */
const closeGraceMs = 500;

/**
 * Starts a control plane on a state directory: what was applied, registered and
 * issued before is there again, however the last one ended.
 *
 * @throws UserError for everything a person can put right; nothing is left running then.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { stateDir, log = stderrLog(), clock = systemClock } = options;
  const trustDomain = trustDomainOf(options.trustDomain);
  const opened: (() => Promise<void> | void)[] = [];
  const onClose = (close: () => Promise<void> | void): void => void opened.unshift(close);
  const closeAll = async (): Promise<void> => {
    for (const close of opened.splice(0)) await close();
  };
  try {
    const store = openStore({ directory: stateDir, trustDomain, clock });
    onClose(() => store.close());
    const authority = await openCertificateAuthority({
      store,
      trustDomain,
      clock,
      log,
      certificateTtlMs: options.certificateTtlMs,
    });
    const plane = new Composition({ ...options, log, clock, trustDomain, store, authority });
    onClose(() => plane.close());
    const serving = await authority.openServingCertificate();
    onClose(() => serving.close());
    const listeners = await openListeners(plane, serving, options, clock);
    onClose(() => listeners.close(closeGraceMs));
    const http = await openHttp(plane, options);
    onClose(() => http.close());
    const api = await openApi(plane, options);
    onClose(() => api.close());
    plane.start();
    return {
      port: listeners.securePort,
      plainPort: listeners.plainPort,
      httpPort: http.port,
      socketPath: socketPathOf(stateDir),
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

interface CompositionOptions extends Omit<ControlPlaneOptions, "trustDomain" | "clock" | "log"> {
  readonly clock: Clock;
  readonly log: CaLog;
  readonly trustDomain: TrustDomain;
  readonly store: Store;
  readonly authority: CertificateAuthority;
}

/**
 * The parts between the state and the listeners, in the order of data: what is
 * configured and what is registered make the mesh, the mesh makes snapshots, and
 * the clients' answers are what `status` shows.
 */
class Composition {
  readonly ads: AdsServer;
  readonly api: ControlApi;
  readonly metrics: PilotMetrics;
  readonly authority: CertificateAuthority;
  readonly takeMetrics: ReturnType<typeof metricsIntake>;
  readonly onError: (error: unknown) => void;
  isStarted = false;
  readonly #clock: Clock;
  readonly #log: CaLog;
  readonly #store: Store;
  readonly #config = new ConfigSet();
  readonly #directory: ConfigDirectory | undefined;
  readonly #registry: WorkloadRegistry;
  readonly #remembered: RememberedWorkloads;
  readonly #history: MetricHistory;
  readonly #pipeline: MeshPipeline;
  readonly #builder = new SnapshotBuilder();
  readonly #clients: XdsClients;
  readonly #events: EventLog;
  readonly #pushes: PushLoop;
  #generation = 0;
  /** When the oldest change that no push holds yet was made. */
  #changedAtMs: number | undefined;

  constructor(options: CompositionOptions) {
    const { clock, log, store, authority, trustDomain, version, stateDir } = options;
    this.#clock = clock;
    this.#log = log;
    this.#store = store;
    this.authority = authority;
    this.#events = new EventLog(clock);
    this.onError = (error) => {
      this.metrics.internalErrors.add();
      log.error({ stack: error instanceof Error ? error.stack : undefined }, messageOf(error));
    };

    this.#config.load(store.resources.current().map(({ text }) => text));
    this.#directory = this.#openDirectory(options.configDir);
    this.#registry = new WorkloadRegistry({ clock });
    this.#remembered = new RememberedWorkloads(join(stateDir, "workloads.json"), clock);
    this.#registry.restore(this.#remembered.read());
    this.#pipeline = new MeshPipeline({
      config: this.#config,
      registry: this.#registry,
      addresses: new VirtualAddresses(store.addresses),
      settings: { trustDomain },
    });

    const convergence = new ConvergenceLog();
    const sync = new ProxySyncTable(clock, (elapsedMs) => {
      convergence.add(elapsedMs);
      this.metrics.convergence.observe(elapsedMs / 1000);
    });
    this.#pushes = new PushLoop(() => this.#push(), this.onError);
    this.#clients = new XdsClients({
      clock,
      trustDomain,
      registry: this.#registry,
      pipeline: this.#pipeline,
      builder: this.#builder,
      sync,
      events: this.#events,
      onAnswer: (type, isAccepted) => {
        this.metrics.pushes.with(type).add();
        if (!isAccepted) this.metrics.rejects.add();
      },
      onError: this.onError,
    });
    const { admit } = this.#clients;
    this.ads = new AdsServer({ clock, admit, events: this.#clients, customTypes: [typeUrl.health] });

    this.#history = new MetricHistory({ clock });
    this.takeMetrics = metricsIntake(this.#history, this.#registry);
    this.metrics = new PilotMetrics(version, () => this.#read(sync));
    this.api = new ControlApi({
      clock,
      version,
      trustDomain,
      store: store.resources,
      authority,
      config: this.#config,
      pipeline: this.#pipeline,
      registry: this.#registry,
      sync,
      convergence,
      history: this.#history,
      events: this.#events,
      onConfigChange: () => this.#changed("config"),
    });
    this.#registry.onChange(({ workloads, removed }) => {
      for (const id of removed) {
        this.#history.forget(id);
        this.#builder.forget(id);
        this.#events.add("leave", `${id} left the mesh`);
      }
      this.#remembered.save(workloads);
      this.#changed("endpoint");
    });
  }

  /** From here on the files of the directory are followed. */
  start(): void {
    this.#directory?.start();
    this.isStarted = true;
  }

  close(): void {
    this.isStarted = false;
    this.#directory?.close();
    this.#registry.close();
    this.#remembered.flush();
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
    if (this.isStarted) this.#changed("config");
  }

  #changed(trigger: "config" | "endpoint"): void {
    this.#changedAtMs ??= this.#clock.monotonicMs();
    this.metrics.triggers.with(trigger).add();
    this.#pushes.request();
  }

  /** One turn of the event loop belongs to a push, so that a burst of changes becomes a few pushes. */
  async #push(): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    const changedAtMs = this.#changedAtMs ?? startMs;
    this.#changedAtMs = undefined;
    this.#pipeline.rebuild();
    this.#generation += 1;
    this.#clients.push({
      generation: this.#generation,
      revision: this.#store.resources.revision,
      changedAtMs,
    });
    this.metrics.pushTime.observe((this.#clock.monotonicMs() - startMs) / 1000);
    await new Promise((resolve) => setImmediate(resolve));
  }

  #read(sync: ProxySyncTable) {
    const { mesh, diagnostics } = this.#pipeline.current;
    const { rootNotAfterMs, issued } = this.authority.caStatus();
    let virtualServices = 0;
    for (const { resource } of this.#config.entries.values()) {
      if (resource.kind === "VirtualService") virtualServices += 1;
    }
    return {
      proxies: sync.proxies.size,
      services: mesh.services.size,
      virtualServices,
      workloads: this.#registry.workloads.length,
      configErrors: diagnostics.filter((diagnostic) => diagnostic.severity === "error").length,
      rootExpirySeconds: rootNotAfterMs / 1000,
      issuedCertificates: issued,
    };
  }
}

async function openListeners(
  plane: Composition,
  serving: ServingCertificate,
  options: ControlPlaneOptions,
  clock: Clock,
): Promise<GrpcListeners> {
  const { authority } = plane;
  const tls = ({ keyPem, chainPem }: ServingKeyPair) => ({
    key: keyPem,
    certificateChain: chainPem,
    trustBundle: authority.caStatus().rootPem,
  });
  const listeners = await GrpcListeners.open({
    clock,
    plain: options.plain && { host: options.plain.address, port: options.plain.port },
    secure: { host: options.address, port: options.port },
    tls: tls(serving.current),
    ads: plane.ads,
    verifyPeer: (chain) => authority.verifyPeer(chain),
    createCertificate: (request) => authority.createCertificate(request),
    takeMetrics: plane.takeMetrics,
    onError: plane.onError,
  });
  serving.onChange((next) => listeners.setTls(tls(next)));
  return listeners;
}

function openHttp(
  plane: Composition,
  { httpAddress, httpPort }: ControlPlaneOptions,
): Promise<HttpEndpoints> {
  return startHttpEndpoints({
    address: httpAddress,
    port: httpPort,
    metrics: plane.metrics.registry,
    notReady: () => (plane.isStarted ? undefined : "starting or stopping"),
  });
}

function openApi(plane: Composition, { stateDir }: ControlPlaneOptions): Promise<ApiServer> {
  return startApiServer({ socketPath: socketPathOf(stateDir), backend: plane.api, logError: plane.onError });
}

function socketPathOf(stateDir: string): string {
  return join(stateDir, "api.sock");
}

function stderrLog(): CaLog {
  return pino({ base: undefined }, pino.destination({ dest: 2, sync: true }));
}

function trustDomainOf(text: string): TrustDomain {
  try {
    return parseTrustDomain(text);
  } catch (error) {
    throw new UserError(`--trust-domain: ${messageOf(error)}`, {
      hint: "use a DNS name such as cluster.local",
      exitCode: 2,
      cause: error,
    });
  }
}
