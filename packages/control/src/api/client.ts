import { request } from "node:http";
import type { Diagnostic } from "@weft/base/diagnostics";
import { UserError } from "@weft/base/errors";
import type {
  ApplyRequest,
  ApplyResult,
  DeleteResult,
  DiffResult,
  ResourceVersionRecord,
  RollbackRequest,
} from "./change-protocol.ts";
import type {
  Analysis,
  EncodedResource,
  MeshNames,
  NamedType,
  Registrations,
  WorkloadViews,
} from "./mesh-protocol.ts";
import type {
  ApiErrorBody,
  AuditRecord,
  CaStatus,
  CreatedToken,
  CreateTokenRequest,
  DashboardLogin,
  EdgeReport,
  EventList,
  ProxyConfig,
  ProxyConfigKind,
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
} from "./protocol.ts";

export interface ApiClientOptions {
  readonly socketPath: string;
  /** Longest wait for an answer; `sync` adds its own timeout to it. Default 30 s. */
  readonly timeoutMs?: number;
}

/** The control plane refused a request; `diagnostics` say where and why when it was about configuration. */
export class ApiError extends UserError {
  readonly status: number;
  readonly diagnostics: readonly Diagnostic[];

  constructor(status: number, body: ApiErrorBody) {
    super(body.error, { hint: body.hint });
    this.status = status;
    this.diagnostics = body.diagnostics ?? [];
  }
}

/**
 * Speaks to a control plane over its Unix socket. Every failure is a
 * `UserError` that says what to do: nothing listening, no permission, refused.
 */
export class ApiClient {
  readonly #socketPath: string;
  readonly #timeoutMs: number;

  constructor(options: ApiClientOptions) {
    this.#socketPath = options.socketPath;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  apply(body: ApplyRequest): Promise<ApplyResult> {
    return this.#call("POST", "/v1/apply", body, body.confirm?.timeoutMs);
  }

  rollback(body: RollbackRequest): Promise<ApplyResult> {
    return this.#call("POST", "/v1/rollback", body, body.confirm?.timeoutMs);
  }

  /** What an apply of these would change. */
  diff(body: Pick<ApplyRequest, "files">): Promise<DiffResult> {
    return this.#call("POST", "/v1/diff", body);
  }

  /** All versions of a resource, newest first. */
  async versions(key: ResourceKey): Promise<readonly ResourceVersionRecord[]> {
    const path = resourcePath(key).replace("/resources/", "/versions/");
    const { versions } = await this.#call<{ versions: readonly ResourceVersionRecord[] }>("GET", path);
    return versions;
  }

  /** All resources, or those of one kind and namespace. */
  listResources(filter: { readonly kind?: string; readonly namespace?: string } = {}): Promise<ResourceList> {
    return this.#call("GET", `/v1/resources${query(filter)}`);
  }

  getResource(key: ResourceKey): Promise<ResourceRecord> {
    return this.#call("GET", resourcePath(key));
  }

  deleteResource(key: ResourceKey): Promise<DeleteResult> {
    return this.#call("DELETE", resourcePath(key));
  }

  async revisions(limit = 50): Promise<readonly RevisionRecord[]> {
    const { revisions } = await this.#call<{ revisions: readonly RevisionRecord[] }>(
      "GET",
      `/v1/revisions${query({ limit })}`,
    );
    return revisions;
  }

  status(): Promise<StatusReport> {
    return this.#call("GET", "/v1/status");
  }

  /** Waits until every connected sidecar has acknowledged `revision`, or the timeout; never rejects for the timeout. */
  sync(revision: number, timeoutMs: number): Promise<SyncResult> {
    return this.#call("GET", `/v1/sync${query({ revision, timeoutMs })}`, undefined, timeoutMs);
  }

  stats(options: { readonly by?: StatsGroup; readonly windowSeconds?: number } = {}): Promise<StatsReport> {
    return this.#call("GET", `/v1/stats${query(options)}`);
  }

  edges(options: { readonly by?: StatsGroup; readonly windowSeconds?: number } = {}): Promise<EdgeReport> {
    return this.#call("GET", `/v1/edges${query(options)}`);
  }

  openDashboard(): Promise<DashboardLogin> {
    return this.#call("POST", "/v1/dashboard");
  }

  proxyConfig(workload: string, kind: ProxyConfigKind): Promise<ProxyConfig> {
    return this.#call("GET", `/v1/proxies/${encodeURIComponent(workload)}/${kind}`);
  }

  findWorkloads(by: { readonly name: string } | { readonly address: string }): Promise<WorkloadViews> {
    return this.#call("GET", `/v1/workloads${query(by)}`);
  }

  meshNames(): Promise<MeshNames> {
    return this.#call("GET", "/v1/names");
  }

  registrations(): Promise<Registrations> {
    return this.#call("GET", "/v1/registrations");
  }

  analysis(): Promise<Analysis> {
    return this.#call("GET", "/v1/analysis");
  }

  encodedResource(workloadId: string, type: NamedType, name: string): Promise<EncodedResource> {
    const path = [workloadId, type, name].map(encodeURIComponent).join("/");
    return this.#call("GET", `/v1/workloads/${path}`);
  }

  createToken(body: CreateTokenRequest): Promise<CreatedToken> {
    return this.#call("POST", "/v1/tokens", body);
  }

  listTokens(): Promise<TokenList> {
    return this.#call("GET", "/v1/tokens");
  }

  async revokeToken(id: string): Promise<void> {
    await this.#call("DELETE", `/v1/tokens/${encodeURIComponent(id)}`);
  }

  caStatus(): Promise<CaStatus> {
    return this.#call("GET", "/v1/ca");
  }

  revoke(request: { readonly serial: string } | { readonly identity: string }): Promise<RevocationRecord> {
    return this.#call("POST", "/v1/ca/revocations", request);
  }

  async auditLog(limit = 50): Promise<readonly AuditRecord[]> {
    const { entries } = await this.#call<{ entries: readonly AuditRecord[] }>(
      "GET",
      `/v1/ca/log${query({ limit })}`,
    );
    return entries;
  }

  rotateRoot(options: { readonly isForced: boolean }): Promise<CaStatus> {
    return this.#call("POST", "/v1/ca/rotation", options);
  }

  events(limit = 100): Promise<EventList> {
    return this.#call("GET", `/v1/events${query({ limit })}`);
  }

  #call<T>(method: string, path: string, body?: unknown, extraMs = 0): Promise<T> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          socketPath: this.#socketPath,
          method,
          path,
          agent: false,
          timeout: this.#timeoutMs + extraMs,
          headers: payload
            ? { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }
            : {},
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", (error) => reject(this.#connectionError(error)));
          response.on("end", () => {
            const answer = parseAnswer(Buffer.concat(chunks).toString("utf8"));
            const status = response.statusCode ?? 0;
            if (status >= 200 && status < 300) resolve(answer as T);
            else reject(new ApiError(status, asErrorBody(answer, status)));
          });
        },
      );
      sent.on("timeout", () =>
        sent.destroy(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" })),
      );
      sent.on("error", (error) => reject(this.#connectionError(error)));
      sent.end(payload);
    });
  }

  #connectionError(error: NodeJS.ErrnoException): UserError {
    const socket = this.#socketPath;
    switch (error.code) {
      case "ENOENT":
      case "ECONNREFUSED":
        return new UserError(`no control plane answers on ${socket}`, {
          hint: "start one with 'weft control-plane', or name its state directory with --state or WEFT_STATE",
          exitCode: 3,
          cause: error,
        });
      case "EACCES":
      case "EPERM":
        return new UserError(`no permission to use ${socket}`, {
          hint: "run the command as the user who runs the control plane",
          exitCode: 3,
          cause: error,
        });
      case "ETIMEDOUT":
        return new UserError(`the control plane on ${socket} did not answer in time`, {
          hint: "see what it says in its log, or ask its /healthz",
          exitCode: 3,
          cause: error,
        });
      default:
        return new UserError(`the control plane on ${socket} broke off: ${error.message}`, {
          hint: "try again; if it stays, look into the control plane's log",
          exitCode: 3,
          cause: error,
        });
    }
  }
}

function query(values: object): string {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined);
  return pairs.length === 0
    ? ""
    : `?${new URLSearchParams(pairs.map(([key, value]): [string, string] => [key, String(value)]))}`;
}

function resourcePath(key: ResourceKey): string {
  return `/v1/resources/${[key.kind, key.namespace, key.name].map(encodeURIComponent).join("/")}`;
}

function parseAnswer(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    return { error: `the control plane answered something that is not JSON: ${text.slice(0, 100)}` };
  }
}

function asErrorBody(answer: unknown, status: number): ApiErrorBody {
  if (typeof answer === "object" && answer !== null && typeof (answer as ApiErrorBody).error === "string") {
    return answer as ApiErrorBody;
  }
  return { error: `the control plane answered with status ${status}` };
}
