import type { Clock } from "@weft/base/clock";
import { analyze } from "../analyze/analyze.ts";
import type { ApiBackend, ChangeBy, MeshQuestions } from "../api/backend.ts";
import { actorOf, type Caller } from "../api/caller.ts";
import type {
  ApplyRequest,
  ApplyResult,
  DeleteResult,
  DiffRequest,
  DiffResult,
  ResourceVersionRecord,
  RollbackRequest,
} from "../api/change-protocol.ts";
import type { FederationStatus } from "../api/federation-protocol.ts";
import type {
  Analysis,
  EncodedResource,
  MeshNames,
  NamedType,
  Registrations,
  WorkloadViews,
} from "../api/mesh-protocol.ts";
import type { RecallAnswer, RecallRequest, TapLine, TapRequest } from "../api/observe-protocol.ts";
import type {
  AuditRecord,
  CaStatus,
  CreatedToken,
  CreateTokenRequest,
  DashboardLogin,
  EdgeReport,
  EventList,
  MeshEvent,
  ProxyConfig,
  ProxyConfigKind,
  ResourceIndex,
  ResourceKey,
  ResourceList,
  ResourceRecord,
  RevisionRecord,
  RevocationRecord,
  StatsGroup,
  StatsReport,
  StatusReport,
  SyncResult,
  TokenList,
} from "../api/protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import type { RevokeRequest } from "../ca/revocations.ts";
import type { RootRotation } from "../ca/root-rotation.ts";
import { dataPlaneOf } from "../capability/data-plane.ts";
import { findCapabilityGaps, type MeshClient } from "../capability/find-gaps.ts";
import { type DebugPage, debugPages } from "../inspect/debug-pages.ts";
import { type MeshView, meshViewOf } from "../inspect/mesh-view.ts";
import type { RequestHub } from "../observe/request-hub.ts";
import { RequestObservation } from "../observe/request-observation.ts";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import type { AuditLog, AuditQuery } from "../store/audit-log.ts";
import type { CanaryStore } from "../store/canary-store.ts";
import type { ResourceStore } from "../store/resource-store.ts";
import type { RolloutStore } from "../store/rollout-store.ts";
import type { AuditVerification, NotedHead } from "../store/verify-audit.ts";
import { edgeSignals } from "../telemetry/edge-signals.ts";
import { type GoldenSignalsInput, goldenSignals } from "../telemetry/golden-signals.ts";
import type { MetricHistory } from "../telemetry/metric-history.ts";
import { awaitSync } from "./await-sync.ts";
import { Canaries } from "./canaries.ts";
import { ConfigChanges } from "./config-changes.ts";
import type { ConfigSet } from "./config-set.ts";
import type { ConvergenceLog } from "./convergence-log.ts";
import type { EventLog } from "./event-log.ts";
import type { MeshPipeline } from "./mesh-pipeline.ts";
import type { MeshTrust } from "./mesh-trust.ts";
import type { Outward } from "./outward.ts";
import { proxyConfigOf } from "./proxy-lookup.ts";
import type { ProxySyncTable } from "./proxy-sync.ts";
import { ResourceRecords } from "./resource-records.ts";
import { Rollouts } from "./rollouts.ts";
import { proxyStatus, workloadStatus } from "./status-rows.ts";
import { TrustOperations } from "./trust-operations.ts";

export interface ControlApiOptions {
  readonly clock: Clock;
  readonly version: string;
  readonly trustDomain: string;
  readonly store: ResourceStore;
  readonly audit: Pick<AuditLog, "append" | "find" | "verify">;
  readonly authority: Pick<
    CertificateAuthority,
    "caStatus" | "revocations" | "createToken" | "listTokens" | "revokeToken" | "issuedTo"
  >;
  readonly rotation: Pick<RootRotation, "begin" | "status">;
  readonly config: ConfigSet;
  readonly pipeline: MeshPipeline;
  readonly registry: WorkloadRegistry;
  readonly sync: ProxySyncTable;
  readonly convergence: ConvergenceLog;
  readonly history: MetricHistory;
  readonly events: EventLog;
  readonly openDashboard: (caller: Caller, origin: string | undefined) => DashboardLogin;
  readonly questions: () => MeshQuestions;
  readonly requests: RequestHub;
  readonly rolloutStore: RolloutStore;
  readonly outward: Outward;
  readonly canaryStore: CanaryStore;
  readonly onError: (error: unknown) => void;
  readonly federation: Pick<MeshTrust, "status" | "findings">;
  /** Configuration changed: push it. */
  readonly onConfigChange: () => void;
}

/** What the API answers, from the parts of the running control plane. */
export class ControlApi implements ApiBackend {
  readonly changes: ConfigChanges;
  readonly rollouts: Rollouts;
  readonly canaries: Canaries;
  readonly #parts: ControlApiOptions;
  readonly #startedAtMs: number;
  readonly #requests: RequestObservation;
  readonly #resources: ResourceRecords;
  readonly #trust: TrustOperations;

  constructor(options: ControlApiOptions) {
    this.#parts = options;
    this.changes = new ConfigChanges({ ...options, onChange: options.onConfigChange });
    this.rollouts = new Rollouts({
      ...options,
      store: options.rolloutStore,
      resources: options.store,
      changes: this.changes,
    });
    this.canaries = new Canaries({ ...options, store: options.canaryStore, rollouts: this.rollouts });
    this.#startedAtMs = options.clock.now();
    this.#requests = new RequestObservation(options.requests, () => this.#view());
    const { canaries } = this;
    this.#resources = new ResourceRecords({ ...options, canaries, startedAtMs: this.#startedAtMs });
    this.#trust = new TrustOperations(options);
  }

  apply(request: ApplyRequest, by: ChangeBy): ApplyResult | Promise<ApplyResult> {
    return this.changes.apply(request, by);
  }

  rollback(request: RollbackRequest, by: ChangeBy): ApplyResult | Promise<ApplyResult> {
    return this.changes.rollback(request, by);
  }

  diff(request: DiffRequest): DiffResult {
    return this.changes.diff(request);
  }

  deleteResource(key: ResourceKey, by: ChangeBy): DeleteResult {
    return this.changes.delete(key, by);
  }

  versions(key: ResourceKey): readonly ResourceVersionRecord[] {
    return this.changes.versions(key);
  }

  listResources(filter: { readonly kind?: string; readonly namespace?: string }): ResourceList {
    return this.#resources.list(filter);
  }

  indexResources(): ResourceIndex {
    return this.#resources.index();
  }

  getResource(key: ResourceKey): ResourceRecord {
    return this.#resources.get(key);
  }

  revisions(limit: number): readonly RevisionRecord[] {
    return this.#parts.store.history(limit);
  }

  status(): StatusReport {
    const { clock, version, trustDomain, store, pipeline, registry, sync, convergence } = this.#parts;
    const { mesh, diagnostics } = pipeline.current;
    const rotation = this.#parts.rotation.status();
    return {
      ...(rotation && rotation.phase !== "done" && { rotation }),
      version,
      trustDomain,
      startedAtMs: this.#startedAtMs,
      nowMs: clock.now(),
      revision: store.revision,
      services: mesh.services.size,
      proxies: [...sync.proxies].map(proxyStatus).sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)),
      workloads: Array.from(registry.workloads.values(), (workload) => workloadStatus(workload, registry)),
      diagnostics: [
        ...diagnostics,
        ...this.#parts.federation.findings,
        ...findCapabilityGaps(mesh, this.#clients()),
      ],
      convergence: convergence.summary(),
    };
  }

  sync(revision: number, timeoutMs: number, signal: AbortSignal): Promise<SyncResult> {
    const { clock, sync, store } = this.#parts;
    if (revision > store.revision) {
      throw new ApiRefusal(404, {
        error: `there is no revision ${revision} yet; the newest is ${store.revision}`,
      });
    }
    return awaitSync(sync, clock, { revision, timeoutMs, signal });
  }

  stats(by: StatsGroup, windowSeconds: number): StatsReport {
    const rows = goldenSignals(this.signalsInput(windowSeconds * 1000), by);
    return { windowSeconds, rows, droppedSeries: this.droppedSeries };
  }

  edges(by: StatsGroup, windowSeconds: number): EdgeReport {
    return { windowSeconds, rows: edgeSignals(this.signalsInput(windowSeconds * 1000), by) };
  }

  /** What signals of the last `windowMs` are made of. */
  signalsInput(windowMs: number): GoldenSignalsInput {
    const { clock, history, registry, trustDomain, pipeline } = this.#parts;
    return {
      windows: history.windows(windowMs),
      workloads: [...registry.workloads.values()],
      trustDomain,
      domainSuffix: pipeline.current.mesh.options.domainSuffix,
      nowMs: clock.now(),
    };
  }

  get droppedSeries(): number {
    return this.#parts.history.droppedSeries;
  }

  openDashboard(caller: Caller, origin: string | undefined): DashboardLogin {
    const { audit, clock } = this.#parts;
    const login = this.#parts.openDashboard(caller, origin);
    const actor = actorOf(caller);
    audit.append({ atMs: clock.now(), event: "dashboard opened", subject: "one-time address", ...actor });
    return login;
  }

  get questions(): MeshQuestions {
    return this.#parts.questions();
  }

  tap(asked: TapRequest, signal: AbortSignal): AsyncIterable<TapLine> {
    return this.#requests.watch(asked, signal);
  }

  recall(asked: RecallRequest): Promise<RecallAnswer> {
    return this.#requests.recall(asked);
  }

  proxyConfig(workload: string, kind: ProxyConfigKind): ProxyConfig {
    return proxyConfigOf(this.#parts, workload, kind);
  }

  findWorkloads(by: { readonly name: string } | { readonly address: string }): WorkloadViews {
    const view = this.#view();
    const workloads = "name" in by ? view.findWorkloads(by.name) : view.workloadsAt(by.address);
    return { workloads, known: workloads.length > 0 ? [] : view.workloadIds.slice(0, maxKnown) };
  }

  meshNames(): MeshNames {
    return { names: this.#view().names };
  }

  registrations(): Registrations {
    const { registry, trustDomain } = this.#parts;
    return { trustDomain, workloads: [...registry.workloads.values()] };
  }

  analysis(): Analysis {
    const { config, pipeline } = this.#parts;
    const { mesh, diagnostics } = pipeline.current;
    return { diagnostics: [...diagnostics, ...analyze(mesh, config.resources, this.#clients())] };
  }

  /** The data planes that are connected. */
  #clients(): readonly MeshClient[] {
    return [...this.#parts.sync.proxies]
      .filter(({ info }) => info.role === "sidecar")
      .map(({ info: { workloadId, dataPlane, isProxyless } }) => ({
        workloadId,
        dataPlane: dataPlaneOf(dataPlane, isProxyless),
      }));
  }

  encodedResource(workloadId: string, type: NamedType, name: string, host?: string): EncodedResource {
    const body = this.#view().resource(workloadId, type, name, host);
    return body ? { body: Buffer.from(body).toString("base64") } : {};
  }

  #view(): MeshView {
    return meshViewOf(this.#parts.pipeline.current.mesh);
  }

  createToken(request: CreateTokenRequest, caller: Caller): CreatedToken {
    return this.#trust.createToken(request, caller);
  }

  listTokens(): TokenList {
    return this.#parts.authority.listTokens();
  }

  revokeToken(id: string, caller: Caller): void {
    this.#trust.revokeToken(id, caller);
  }

  caStatus(): CaStatus {
    return this.#trust.status();
  }

  federation(): FederationStatus {
    return this.#parts.federation.status;
  }

  revoke(request: RevokeRequest, caller: Caller): RevocationRecord {
    return this.#trust.revoke(request, caller);
  }

  rotateRoot(options: { readonly isForced: boolean }, caller: Caller): Promise<CaStatus> {
    return this.#trust.rotateRoot(options, caller);
  }

  auditLog(query: AuditQuery): readonly AuditRecord[] {
    return this.#parts.audit.find(query);
  }

  verifyAudit(noted: NotedHead | undefined): Promise<AuditVerification> {
    return this.#parts.audit.verify(noted);
  }

  debug(page: string): unknown {
    if (!Object.hasOwn(debugPages, page)) {
      const known = Object.keys(debugPages).map((name) => `/debug/${name}`);
      throw new ApiRefusal(404, {
        error: `there is no /debug/${page}`,
        hint: `there is ${known.join(", ")}`,
      });
    }
    const { config, pipeline, sync } = this.#parts;
    return debugPages[page as DebugPage]({
      mesh: pipeline.current.mesh,
      proxies: [...sync.proxies].map(proxyStatus),
      resources: [...config.entries.values()].map(({ resource }) => resource),
    });
  }

  events(limit: number): EventList {
    return { events: this.#parts.events.recent(limit) };
  }

  watchEvents(signal: AbortSignal): AsyncIterable<MeshEvent> {
    return this.#parts.events.watch(signal);
  }
}

const maxKnown = 20;
