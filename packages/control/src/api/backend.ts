import type { RevokeRequest } from "../ca/revocations.ts";
import type { AuditQuery } from "../store/audit-log.ts";
import type { AuditVerification, NotedHead } from "../store/verify-audit.ts";
import type { TokenList } from "./authority-protocol.ts";
import type { Caller } from "./caller.ts";
import type {
  ApplyRequest,
  ApplyResult,
  DeleteResult,
  DiffRequest,
  DiffResult,
  ResourceVersionRecord,
  RollbackRequest,
} from "./change-protocol.ts";
import type { FederationStatus } from "./federation-protocol.ts";
import type {
  Analysis,
  EncodedResource,
  MeshNames,
  NamedType,
  Registrations,
  WorkloadViews,
} from "./mesh-protocol.ts";
import type { RecallAnswer, RecallRequest, TapLine, TapRequest } from "./observe-protocol.ts";
import type {
  AuditRecord,
  CaStatus,
  CreatedToken,
  CreateTokenRequest,
  DashboardLogin,
  EdgeReport,
  EventList,
  HistoryList,
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
} from "./protocol.ts";
import type {
  CallExplanation,
  ObservedExplanations,
  ServiceDetail,
  TraceReport,
} from "./question-protocol.ts";
import type { RolloutCommand, RolloutStatus, StartRollout } from "./rollout-protocol.ts";

/** A call that somebody asks about. */
export interface AskedCall {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  /** `name: value` each. */
  readonly headers: readonly string[];
}

/** Who changes something, and what they had seen of it. */
export interface ChangeBy {
  readonly caller: Caller;
  /** The newest revision they know: what was changed since is not overwritten. */
  readonly ifRevision?: number;
}

/** Answers about a call, a trace, a service; of what is beside the control plane's own state. */
export interface MeshQuestions {
  explain(asked: AskedCall): Promise<CallExplanation>;
  /** The calls of a request id, as the data planes remember them. */
  explainRequest(requestId: string): Promise<ObservedExplanations>;
  trace(id: string): Promise<TraceReport>;
  histories(ids: readonly string[]): HistoryList;
  service(hostname: string): Promise<ServiceDetail>;
}

/** What the API is made of: everything a handler may ask of the control plane. Refuses with an `ApiRefusal`. */
export interface ApiBackend {
  apply(request: ApplyRequest, by: ChangeBy): ApplyResult | Promise<ApplyResult>;
  rollback(request: RollbackRequest, by: ChangeBy): ApplyResult | Promise<ApplyResult>;
  diff(request: DiffRequest): DiffResult;
  listResources(filter: { readonly kind?: string; readonly namespace?: string }): ResourceList;
  indexResources(): ResourceIndex;
  getResource(key: ResourceKey): ResourceRecord;
  deleteResource(key: ResourceKey, by: ChangeBy): DeleteResult;
  /** All versions of a resource, also of a deleted one, newest first. */
  versions(key: ResourceKey): readonly ResourceVersionRecord[];
  revisions(limit: number): readonly RevisionRecord[];
  status(): StatusReport;
  /** Resolves when every sidecar has acknowledged the revision, or the time is over, or the signal aborts. */
  sync(revision: number, timeoutMs: number, signal: AbortSignal): Promise<SyncResult>;
  stats(by: StatsGroup, windowSeconds: number): StatsReport;
  edges(by: StatsGroup, windowSeconds: number): EdgeReport;
  /** `workload`: an id, or the beginning of exactly one. */
  proxyConfig(workload: string, kind: ProxyConfigKind): ProxyConfig;
  /** The workloads of a name (see `MeshView.findWorkloads`) or at an address. */
  findWorkloads(by: { readonly name: string } | { readonly address: string }): WorkloadViews;
  meshNames(): MeshNames;
  /** Everything that is wrong or questionable about the mesh as it is. */
  analysis(): Analysis;
  registrations(): Registrations;
  /**
   * One resource of the sidecar of a workload, whatever its data plane is.
   *
   * @param host of routes: only those that requests for this host can take
   */
  encodedResource(workloadId: string, type: NamedType, name: string, host?: string): EncodedResource;
  createToken(request: CreateTokenRequest, caller: Caller): CreatedToken;
  listTokens(): TokenList;
  revokeToken(id: string, caller: Caller): void;
  caStatus(): CaStatus;
  federation(): FederationStatus;
  /** Begins to replace the root; `caStatus` tells how it goes. */
  rotateRoot(options: { readonly isForced: boolean }, caller: Caller): Promise<CaStatus>;
  revoke(request: RevokeRequest, caller: Caller): RevocationRecord;
  /** Newest first. */
  auditLog(query: AuditQuery): readonly AuditRecord[];
  /** Whether the audit log is as it was written; `noted`: and still has an entry that was noted. */
  verifyAudit(noted: NotedHead | undefined): Promise<AuditVerification>;
  /** A page of Istio's `/debug`, as JSON. */
  debug(page: string): unknown;
  events(limit: number): EventList;
  /** Every event after now, until the signal aborts. */
  watchEvents(signal: AbortSignal): AsyncIterable<MeshEvent>;
  /** Requests as they happen, until the signal aborts. */
  tap(asked: TapRequest, signal: AbortSignal): AsyncIterable<TapLine>;
  /** The requests that data planes remember. */
  recall(asked: RecallRequest): Promise<RecallAnswer>;
  /** `origin`: where the caller reached the API, if not on the Unix socket. */
  openDashboard(caller: Caller, origin: string | undefined): DashboardLogin;
  readonly questions: MeshQuestions;
  readonly rollouts: RolloutBackend;
}

/** What the API asks of rollouts. */
export interface RolloutBackend {
  start(request: StartRollout, caller: Caller): RolloutStatus;
  /** Those under way and the last of each service, without their events. */
  list(): readonly RolloutStatus[];
  status(of: { readonly namespace: string; readonly service: string }, after: number): RolloutStatus;
  command(
    of: { readonly namespace: string; readonly service: string },
    command: RolloutCommand,
  ): RolloutStatus;
}
