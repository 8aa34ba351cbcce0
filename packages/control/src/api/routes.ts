import type { RevokeRequest } from "../ca/revocations.ts";
import type {
  ApplyRequest,
  ApplyResult,
  Confirmation,
  DeleteResult,
  DiffResult,
  ResourceVersionRecord,
  RollbackRequest,
} from "./change-protocol.ts";
import {
  type Analysis,
  type EncodedResource,
  type MeshNames,
  type NamedType,
  namedTypes,
  type Registrations,
  type WorkloadViews,
} from "./mesh-protocol.ts";
import {
  type AuditRecord,
  type CaStatus,
  type CreatedToken,
  type CreateTokenRequest,
  type DashboardLogin,
  type EdgeReport,
  type EventList,
  type ProxyConfig,
  type ProxyConfigKind,
  proxyConfigKinds,
  type ResourceKey,
  type ResourceList,
  type ResourceRecord,
  type RevisionRecord,
  type RevocationRecord,
  type StatsGroup,
  type StatsReport,
  type StatusReport,
  type SyncResult,
  type TokenList,
} from "./protocol.ts";
import { ApiRefusal } from "./refusal.ts";

/** What the API is made of: everything a handler may ask of the control plane. Refuses with an `ApiRefusal`. */
export interface ApiBackend {
  apply(request: ApplyRequest): ApplyResult | Promise<ApplyResult>;
  rollback(request: RollbackRequest): ApplyResult | Promise<ApplyResult>;
  diff(request: ApplyRequest): DiffResult;
  listResources(filter: { readonly kind?: string; readonly namespace?: string }): ResourceList;
  getResource(key: ResourceKey): ResourceRecord;
  deleteResource(key: ResourceKey): DeleteResult;
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
  /** One resource of the sidecar of a workload, whatever its data plane is. */
  encodedResource(workloadId: string, type: NamedType, name: string): EncodedResource;
  createToken(request: CreateTokenRequest): CreatedToken;
  listTokens(): TokenList;
  revokeToken(id: string): void;
  caStatus(): CaStatus;
  /** Begins to replace the root; `caStatus` tells how it goes. */
  rotateRoot(options: { readonly isForced: boolean }): Promise<CaStatus>;
  revoke(request: RevokeRequest): RevocationRecord;
  /** Newest first. */
  auditLog(limit: number): readonly AuditRecord[];
  /** A page of Istio's `/debug`, as JSON. */
  debug(page: string): unknown;
  events(limit: number): EventList;
  openDashboard(): DashboardLogin;
}

export interface RouteInput {
  readonly params: readonly string[];
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly signal: AbortSignal;
}

type Handle = (backend: ApiBackend, input: RouteInput) => unknown;

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly handle: Handle;
}

const maxSyncMs = 600_000;
const resourcePath = /^\/v1\/resources\/([^/]+)\/([^/]+)\/([^/]+)$/;

const routes: readonly Route[] = [
  { method: "POST", path: /^\/v1\/apply$/, handle: (backend, { body }) => backend.apply(parseApply(body)) },
  { method: "POST", path: /^\/v1\/diff$/, handle: (backend, { body }) => backend.diff(parseApply(body)) },
  {
    method: "POST",
    path: /^\/v1\/rollback$/,
    handle: (backend, { body }) => backend.rollback(parseRollback(body)),
  },
  {
    method: "GET",
    path: /^\/v1\/versions\/([^/]+)\/([^/]+)\/([^/]+)$/,
    handle: (backend, { params }) => ({ versions: backend.versions(keyOf(params)) }),
  },
  {
    method: "GET",
    path: /^\/v1\/resources$/,
    handle: (backend, { query }) =>
      backend.listResources({
        kind: query.get("kind") ?? undefined,
        namespace: query.get("namespace") ?? undefined,
      }),
  },
  { method: "GET", path: resourcePath, handle: (backend, { params }) => backend.getResource(keyOf(params)) },
  {
    method: "DELETE",
    path: resourcePath,
    handle: (backend, { params }) => backend.deleteResource(keyOf(params)),
  },
  {
    method: "GET",
    path: /^\/v1\/revisions$/,
    handle: (backend, { query }) => ({ revisions: backend.revisions(integer(query, "limit", 50, 1, 1_000)) }),
  },
  { method: "GET", path: /^\/v1\/status$/, handle: (backend) => backend.status() },
  {
    method: "GET",
    path: /^\/v1\/sync$/,
    handle: (backend, { query, signal }) =>
      backend.sync(
        integer(query, "revision", 0, 0, Number.MAX_SAFE_INTEGER),
        integer(query, "timeoutMs", 30_000, 0, maxSyncMs),
        signal,
      ),
  },
  {
    method: "GET",
    path: /^\/v1\/stats$/,
    handle: (backend, { query }) =>
      backend.stats(parseGroup(query.get("by")), integer(query, "windowSeconds", 10, 1, 120)),
  },
  {
    method: "GET",
    path: /^\/v1\/edges$/,
    handle: (backend, { query }) =>
      backend.edges(parseGroup(query.get("by")), integer(query, "windowSeconds", 10, 1, 120)),
  },
  {
    method: "GET",
    path: /^\/v1\/proxies\/([^/]+)\/([^/]+)$/,
    handle: (backend, { params }) => backend.proxyConfig(params[0]!, kindOf(params[1]!)),
  },
  {
    method: "GET",
    path: /^\/v1\/workloads$/,
    handle: (backend, { query }) => backend.findWorkloads(soughtWorkload(query)),
  },
  { method: "GET", path: /^\/v1\/registrations$/, handle: (backend) => backend.registrations() },
  { method: "GET", path: /^\/v1\/analysis$/, handle: (backend) => backend.analysis() },
  { method: "GET", path: /^\/v1\/names$/, handle: (backend) => backend.meshNames() },
  {
    method: "GET",
    path: /^\/v1\/workloads\/([^/]+)\/([^/]+)\/([^/]+)$/,
    handle: (backend, { params }) => backend.encodedResource(params[0]!, namedTypeOf(params[1]!), params[2]!),
  },
  { method: "GET", path: /^\/debug\/([a-z]+)$/, handle: (backend, { params }) => backend.debug(params[0]!) },
  { method: "GET", path: /^\/v1\/tokens$/, handle: (backend) => backend.listTokens() },
  {
    method: "POST",
    path: /^\/v1\/tokens$/,
    handle: (backend, { body }) => backend.createToken(parseToken(body)),
  },
  {
    method: "DELETE",
    path: /^\/v1\/tokens\/([^/]+)$/,
    handle: (backend, { params }) => backend.revokeToken(params[0]!),
  },
  { method: "GET", path: /^\/v1\/ca$/, handle: (backend) => backend.caStatus() },
  {
    method: "POST",
    path: /^\/v1\/ca\/rotation$/,
    handle: (backend, { body }) => backend.rotateRoot(parseRotation(body)),
  },
  {
    method: "POST",
    path: /^\/v1\/ca\/revocations$/,
    handle: (backend, { body }) => backend.revoke(parseRevocation(body)),
  },
  {
    method: "GET",
    path: /^\/v1\/ca\/log$/,
    handle: (backend, { query }) => ({ entries: backend.auditLog(integer(query, "limit", 50, 1, 10_000)) }),
  },
  {
    method: "GET",
    path: /^\/v1\/events$/,
    handle: (backend, { query }) => backend.events(integer(query, "limit", 100, 1, 1_000)),
  },
  { method: "POST", path: /^\/v1\/dashboard$/, handle: (backend) => backend.openDashboard() },
];

/** The handler of a method and path; refuses with 404 or 405. */
export function findRoute(
  method: string,
  path: string,
): { readonly handle: Handle; readonly params: readonly string[] } {
  let isKnownPath = false;
  for (const route of routes) {
    const match = route.path.exec(path);
    if (!match) continue;
    isKnownPath = true;
    if (route.method === method) return { handle: route.handle, params: match.slice(1).map(decode) };
  }
  if (isKnownPath) throw new ApiRefusal(405, { error: `${method} is not for ${path}` });
  throw new ApiRefusal(404, {
    error: `the API has no ${path}`,
    hint: "client and control plane may differ in version",
  });
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ApiRefusal(400, { error: `"${part}" is not a valid part of a path` });
  }
}

function keyOf([kind, namespace, name]: readonly string[]): ResourceKey {
  return { kind: kind!, namespace: namespace!, name: name! };
}

function integer(query: URLSearchParams, name: string, fallback: number, min: number, max: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new ApiRefusal(400, { error: `${name} is not a whole number from ${min} to ${max}` });
}

function parseGroup(text: string | null): StatsGroup {
  if (text === null || text === "service") return "service";
  if (text === "workload" || text === "version") return text;
  throw new ApiRefusal(400, { error: `by=${text} is none of service, workload, version` });
}

function kindOf(text: string): ProxyConfigKind {
  const kind = proxyConfigKinds.find((one) => one === text);
  if (kind) return kind;
  throw new ApiRefusal(400, { error: `${text} is none of ${proxyConfigKinds.join(", ")}` });
}

function namedTypeOf(text: string): NamedType {
  const type = namedTypes.find((one) => one === text);
  if (type) return type;
  throw new ApiRefusal(400, { error: `${text} is none of ${namedTypes.join(", ")}` });
}

function soughtWorkload(query: URLSearchParams): { readonly name: string } | { readonly address: string } {
  const name = query.get("name");
  const address = query.get("address");
  if (name !== null) return { name };
  if (address !== null) return { address };
  throw new ApiRefusal(400, { error: "workloads are looked for by name= or address=" });
}

function parseApply(body: unknown): ApplyRequest {
  const { files, dryRun, ifRevision, confirm } = objectOf(body);
  const isFiles =
    Array.isArray(files) &&
    files.every((file) => typeof file?.name === "string" && typeof file?.text === "string");
  if (!isFiles || (dryRun !== undefined && typeof dryRun !== "boolean")) {
    throw new ApiRefusal(400, { error: "an apply is {files: [{name, text}], dryRun, ifRevision, confirm}" });
  }
  return {
    files,
    dryRun,
    ifRevision: ifRevision === undefined ? undefined : revisionOf(ifRevision, "ifRevision"),
    confirm: parseConfirmation(confirm),
  };
}

function parseRollback(body: unknown): RollbackRequest {
  const { revision, resource, dryRun, confirm } = objectOf(body);
  if (dryRun !== undefined && typeof dryRun !== "boolean") {
    throw new ApiRefusal(400, { error: "a rollback is {revision, resource, dryRun, confirm}" });
  }
  return {
    revision: revisionOf(revision, "revision"),
    resource: resource === undefined ? undefined : parseKey(resource),
    dryRun,
    confirm: parseConfirmation(confirm),
  };
}

function parseKey(value: unknown): ResourceKey {
  const { kind, namespace, name } = objectOf(value);
  if (typeof kind === "string" && typeof namespace === "string" && typeof name === "string") {
    return { kind, namespace, name };
  }
  throw new ApiRefusal(400, { error: "a resource is {kind, namespace, name}" });
}

function parseConfirmation(value: unknown): Confirmation | undefined {
  if (value === undefined) return undefined;
  const { timeoutMs } = objectOf(value);
  if (typeof timeoutMs === "number" && timeoutMs >= 0 && timeoutMs <= maxSyncMs) return { timeoutMs };
  throw new ApiRefusal(400, { error: `confirm.timeoutMs is not a number from 0 to ${maxSyncMs}` });
}

function revisionOf(value: unknown, name: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ApiRefusal(400, { error: `${name} is not a revision` });
}

function parseToken(body: unknown): CreateTokenRequest {
  const { namespace, serviceAccount, ttlSeconds } = objectOf(body);
  const isTtl = ttlSeconds === undefined || (typeof ttlSeconds === "number" && Number.isFinite(ttlSeconds));
  if (typeof namespace !== "string" || typeof serviceAccount !== "string" || !isTtl) {
    throw new ApiRefusal(400, { error: "a token is made from {namespace, serviceAccount, ttlSeconds}" });
  }
  return { namespace, serviceAccount, ttlSeconds: ttlSeconds as number | undefined };
}

function parseRevocation(body: unknown): RevokeRequest {
  const { serial, identity } = objectOf(body);
  if (typeof serial === "string" && identity === undefined) return { serial };
  if (typeof identity === "string" && serial === undefined) return { identity };
  throw new ApiRefusal(400, { error: "a revocation is {serial} or {identity}" });
}

function parseRotation(body: unknown): { readonly isForced: boolean } {
  const { isForced } = objectOf(body);
  if (typeof isForced === "boolean") return { isForced };
  throw new ApiRefusal(400, { error: "a rotation is {isForced}" });
}

function objectOf(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body === "object" && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>;
  throw new ApiRefusal(400, { error: "the request has no JSON object" });
}
