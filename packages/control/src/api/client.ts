import { type CallInput, callRoute, streamRouteValues } from "./call-route.ts";
import type {
  ApplyRequest,
  ApplyResult,
  DeleteResult,
  DiffRequest,
  ResourceVersionRecord,
  RollbackRequest,
} from "./change-protocol.ts";
import { type ApiEndpoint, socketEndpoint } from "./endpoint.ts";
import type { NamedType } from "./mesh-protocol.ts";
import type { RecallAnswer, RecallRequest, TapLine, TapRequest } from "./observe-protocol.ts";
import type {
  AuditRecord,
  CreateTokenRequest,
  ProxyConfigKind,
  ResourceKey,
  RevisionRecord,
  StatsGroup,
} from "./protocol.ts";
import type { RolloutCommand, StartRollout } from "./rollout-protocol.ts";
import type { Route, StreamRoute } from "./route.ts";
import * as authority from "./routes/authority-routes.ts";
import * as config from "./routes/config-routes.ts";
import { openDashboardRoute } from "./routes/dashboard-routes.ts";
import * as mesh from "./routes/mesh-routes.ts";
import * as requests from "./routes/request-routes.ts";
import * as rollouts from "./routes/rollout-routes.ts";
import * as signals from "./routes/signal-routes.ts";
import type { Admitted, Shape } from "./schema.ts";

export { ApiError } from "./api-error.ts";

export type ApiClientOptions = ({ readonly socketPath: string } | { readonly endpoint: ApiEndpoint }) & {
  /** Longest wait for an answer; what is waited for on purpose is added to it. Default 30 s. */
  readonly timeoutMs?: number;
};

interface WindowQuery {
  readonly by?: StatsGroup;
  readonly windowSeconds?: number;
}

export interface AuditLogQuery {
  readonly limit?: number;
  readonly sinceMs?: number;
  readonly event?: string;
  readonly by?: string;
}

/** Of five million entries, on a busy machine. */
const maxVerifyMs = 300_000;

/**
 * Speaks to a control plane. Every failure is a `UserError` that says what to do:
 * nothing listening, no permission, refused.
 */
export class ApiClient {
  readonly #endpoint: ApiEndpoint;
  readonly #timeoutMs: number;

  constructor(options: ApiClientOptions) {
    this.#endpoint = "endpoint" in options ? options.endpoint : socketEndpoint(options.socketPath);
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  /** Calls any operation; `extraMs` is what it waits for on purpose. */
  call<P extends Shape, Q extends Shape, B, A>(
    route: Route<P, Q, B, A>,
    input: CallInput<Admitted<P>, Admitted<Q>, B> = {},
    extraMs = 0,
  ): Promise<A> {
    return callRoute(this.#endpoint, route, input, this.#timeoutMs + extraMs);
  }

  stream<P extends Shape, Q extends Shape, B, A>(
    route: StreamRoute<P, Q, B, A>,
    input: CallInput<Admitted<P>, Admitted<Q>, B> = {},
    signal?: AbortSignal,
  ): AsyncGenerator<A, void, undefined> {
    return streamRouteValues(this.#endpoint, route, input, signal);
  }

  apply(body: ApplyRequest, ifRevision?: number): Promise<ApplyResult> {
    return this.call(config.applyRoute, { body, ifRevision }, body.confirm?.timeoutMs);
  }

  rollback(body: RollbackRequest, ifRevision?: number): Promise<ApplyResult> {
    return this.call(config.rollbackRoute, { body, ifRevision }, body.confirm?.timeoutMs);
  }

  /** What an apply of these would change. */
  diff(body: DiffRequest) {
    return this.call(config.diffRoute, { body });
  }

  /** All versions of a resource, newest first. */
  async versions(params: ResourceKey): Promise<readonly ResourceVersionRecord[]> {
    return (await this.call(config.versionsRoute, { params })).versions;
  }

  /** All resources, or those of one kind and namespace. */
  listResources(query: { readonly kind?: string; readonly namespace?: string } = {}) {
    return this.call(config.listResourcesRoute, { query });
  }

  getResource(params: ResourceKey) {
    return this.call(config.getResourceRoute, { params });
  }

  deleteResource(params: ResourceKey, ifRevision?: number): Promise<DeleteResult> {
    return this.call(config.deleteResourceRoute, { params, ifRevision });
  }

  async revisions(limit = 50): Promise<readonly RevisionRecord[]> {
    return (await this.call(config.revisionsRoute, { query: { limit } })).revisions;
  }

  status() {
    return this.call(mesh.statusRoute);
  }

  /** Waits until every connected sidecar has acknowledged `revision`, or the timeout; never rejects for the timeout. */
  sync(revision: number, timeoutMs: number) {
    return this.call(config.syncRoute, { query: { revision, timeoutMs } }, timeoutMs);
  }

  stats(query: WindowQuery = {}) {
    return this.call(signals.statsRoute, { query });
  }

  edges(query: WindowQuery = {}) {
    return this.call(signals.edgesRoute, { query });
  }

  openDashboard() {
    return this.call(openDashboardRoute);
  }

  /** Shows requests as they happen, until the signal aborts. */
  tap(body: TapRequest, signal: AbortSignal): AsyncGenerator<TapLine, void, undefined> {
    return this.stream(requests.tapRoute, { body }, signal);
  }

  /** The requests that data planes remember. */
  recall(body: RecallRequest): Promise<RecallAnswer> {
    return this.call(requests.recallRoute, { body });
  }

  proxyConfig(workload: string, kind: ProxyConfigKind) {
    return this.call(mesh.proxyConfigRoute, { params: { workload, kind } });
  }

  findWorkloads(query: { readonly name: string } | { readonly address: string }) {
    return this.call(mesh.findWorkloadsRoute, { query });
  }

  meshNames() {
    return this.call(mesh.meshNamesRoute);
  }

  registrations() {
    return this.call(mesh.registrationsRoute);
  }

  analysis() {
    return this.call(mesh.analysisRoute);
  }

  /** @param host of routes: only those that requests for this host can take */
  encodedResource(workload: string, type: NamedType, name: string, host?: string) {
    const query = host === undefined ? {} : { host };
    return this.call(mesh.encodedResourceRoute, { params: { workload, type, name }, query });
  }

  createToken(body: CreateTokenRequest) {
    return this.call(authority.createTokenRoute, { body });
  }

  listTokens() {
    return this.call(authority.listTokensRoute);
  }

  async revokeToken(id: string): Promise<void> {
    await this.call(authority.revokeTokenRoute, { params: { id } });
  }

  federation() {
    return this.call(authority.federationRoute);
  }

  caStatus() {
    return this.call(authority.caStatusRoute);
  }

  revoke(body: { readonly serial: string } | { readonly identity: string }) {
    return this.call(authority.revokeRoute, { body });
  }

  /** Newest first. */
  async auditLog(query: AuditLogQuery = {}): Promise<readonly AuditRecord[]> {
    return (await this.call(authority.auditLogRoute, { query })).entries;
  }

  verifyAudit(head?: string) {
    return this.call(authority.verifyAuditRoute, { query: { head } }, maxVerifyMs);
  }

  rotateRoot(body: { readonly isForced: boolean }) {
    return this.call(authority.rotateRootRoute, { body });
  }

  events(limit = 100) {
    return this.call(mesh.eventsRoute, { query: { limit } });
  }

  startRollout(body: StartRollout) {
    return this.call(rollouts.startRolloutRoute, { body });
  }

  /** Those under way and the last of each service, without their events. */
  async rollouts() {
    return (await this.call(rollouts.listRolloutsRoute)).rollouts;
  }

  /** With the events after a number. */
  rollout(namespace: string, service: string, after = 0) {
    return this.call(rollouts.rolloutStatusRoute, { params: { namespace, service }, query: { after } });
  }

  /** Answers with the events that it made. */
  commandRollout(namespace: string, service: string, command: RolloutCommand) {
    return this.call(rollouts.commandRolloutRoute, { params: { namespace, service, command } });
  }
}
