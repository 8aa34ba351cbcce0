import type { Diagnostic } from "@weft/base/diagnostics";

/**
 * What the CLI and the control plane say to each other over `STATE/api.sock`:
 * JSON both ways, times in milliseconds since the Unix epoch.
 */

export interface ResourceKey {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** One stored resource, as it was written. */
export interface ResourceRecord extends ResourceKey {
  readonly apiVersion: string;
  /** The document's own text, comments included. */
  readonly text: string;
  /** Where it came from: `file:line`. */
  readonly origin: string;
  /** The revision that last changed it. */
  readonly revision: number;
  readonly changedAtMs: number;
  /** `directory`: from `--config DIR`, changed only there. */
  readonly source: "store" | "directory";
  /** What became of it, in the form its kind has: routes of the Gateway API. */
  readonly status?: RouteStatus | GatewayStatusRecord;
}

/** The status of a route, as the Gateway API has it. */
export interface RouteStatus {
  readonly parents: readonly {
    readonly parentRef: object;
    readonly controllerName: string;
    readonly conditions: readonly ConditionRecord[];
  }[];
}

export interface ConditionRecord {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** The status of a Gateway of the Gateway API, or of a GatewayClass, which has conditions alone. */
export interface GatewayStatusRecord {
  readonly conditions: readonly ConditionRecord[];
  readonly addresses?: readonly { readonly type: string; readonly value: string }[];
  readonly listeners?: readonly {
    readonly name: string;
    readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
    readonly attachedRoutes: number;
    readonly conditions: readonly ConditionRecord[];
  }[];
}

export interface ResourceList {
  readonly revision: number;
  readonly resources: readonly ResourceRecord[];
}

/** One change that was accepted. */
export interface RevisionRecord {
  readonly revision: number;
  readonly atMs: number;
  readonly author: string;
  readonly changes: readonly (ResourceKey & { readonly action: "created" | "changed" | "deleted" })[];
}

export type SyncState = "synced" | "stale" | "nacked" | "not sent";

/** One xDS type of one proxy. */
export interface TypeSync {
  /** Short name as `istioctl proxy-status` has it: CDS, LDS, EDS, RDS, SDS, NDS. */
  readonly type: string;
  readonly state: SyncState;
  readonly sentVersion?: string;
  readonly ackedVersion?: string;
  readonly sentAtMs?: number;
  readonly ackedAtMs?: number;
  /** Why the proxy refused the last resources, in its own words. */
  readonly error?: string;
}

/** One connected xDS client. */
export interface ProxyStatus {
  /** Full xDS node id. */
  readonly nodeId: string;
  readonly role: "agent" | "sidecar";
  /** `<instance>.<namespace>`. */
  readonly workload: string;
  /** SPIFFE ID of its verified certificate. */
  readonly identity: string;
  readonly address: string;
  /** Version of Weft the node said it runs; "" when it did not. */
  readonly version: string;
  /** Program the node says it is, e.g. `envoy/1.40.0`, `gRPC Go/1.85.0`; "" when it did not. */
  readonly dataPlane: string;
  readonly connectedAtMs: number;
  readonly state: SyncState;
  /** The newest configuration revision this proxy has acknowledged in every type it subscribes to. */
  readonly ackedRevision: number;
  readonly types: readonly TypeSync[];
}

/** Kinds that the control plane gives by xDS. */
export const xdsKinds = ["listeners", "routes", "clusters", "endpoints"] as const;
export type XdsKind = (typeof xdsKinds)[number];

/** And what it knows of the rest: certificates that it issued, and what the agent started its data plane with. */
export const proxyConfigKinds = [...xdsKinds, "secrets", "bootstrap"] as const;
export type ProxyConfigKind = (typeof proxyConfigKinds)[number];

/** Any JSON object. */
export type JsonObject = { readonly [key: string]: unknown };

/** One xDS resource as a proxy is given it, a certificate (never its key), or the bootstrap. */
export interface ProxyResource {
  readonly name: string;
  readonly version: string;
  /** `file:line:column` of what made it; absent where registrations alone did. */
  readonly origin?: string;
  /** The message as JSON, its fields as the protobuf files name them. */
  readonly value: JsonObject;
}

export interface ProxyConfig {
  readonly nodeId: string;
  readonly dataPlane: string;
  readonly resources: readonly ProxyResource[];
}

/** One registered workload. */
export interface WorkloadStatus {
  readonly id: string;
  readonly workloadName: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly service: string;
  readonly version: string;
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
  readonly isHealthy: boolean;
  /** False while the agent's stream is gone and its lease has not ended yet. */
  readonly isConnected: boolean;
  /** Its WorkloadGroup, where it has one. */
  readonly group?: string;
}

export interface StatusReport {
  readonly version: string;
  readonly trustDomain: string;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly revision: number;
  readonly services: number;
  readonly proxies: readonly ProxyStatus[];
  readonly workloads: readonly WorkloadStatus[];
  /** What is wrong or unsupported in the configuration in force. */
  readonly diagnostics: readonly Diagnostic[];
  /** The rotation of the root that is under way. */
  readonly rotation?: RotationStatus;
  /** Change → last acknowledgement, of the recent pushes. */
  readonly convergence: { readonly count: number; readonly p50Ms?: number; readonly p99Ms?: number };
}

export interface SyncResult {
  readonly revision: number;
  readonly isSynced: boolean;
  readonly elapsedMs: number;
  readonly acknowledged: readonly string[];
  /** Who has not, and why. */
  readonly waiting: readonly {
    readonly nodeId: string;
    readonly state: SyncState;
    readonly error?: string;
  }[];
}

export type StatsGroup = "service" | "workload" | "version";

/** Golden signals of calls over a window. Absent numbers: no calls. */
export interface CallSignals {
  /** Calls that arrived, and those to the service that were ended before they could. */
  readonly requestsPerSecond?: number;
  /** Of them those that never arrived: their callers' sidecars answered. Only of services and edges. */
  readonly undeliveredPerSecond?: number;
  /** Of them those answered with 403 or PERMISSION_DENIED, by a policy or by the application. */
  readonly deniedPerSecond?: number;
  /** 0–1. */
  readonly successRate?: number;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
  /** Connections that are open now. */
  readonly tcpConnections: number;
  /** Calls per second that arrived with mutual TLS, of all. 0–1. */
  readonly securedRate?: number;
}

/** How full data planes are: of several, the busiest loop and the sum of the rest. Absent: nobody said. */
export interface Saturation {
  /** Share of time the event loop was busy, 0–1. */
  readonly loopUtilization?: number;
  readonly loopLagP99Ms?: number;
  readonly memoryBytes?: number;
  readonly connections?: number;
  /** Requests that wait for a connection. */
  readonly pending?: number;
}

/** Golden signals of one service, workload or version over the window. */
export interface StatsRow extends CallSignals, Saturation {
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
  /** Instances with a sidecar, and all instances. */
  readonly meshed: number;
  readonly instances: number;
  /** SPIFFE IDs of who called. */
  readonly peers: readonly string[];
  /** Identity the instances carry. */
  readonly identity: string;
  readonly certificateAgeSeconds?: number;
  readonly certificateExpiresInSeconds?: number;
}

export interface StatsReport {
  readonly windowSeconds: number;
  readonly rows: readonly StatsRow[];
  /** Series that were not kept because a workload sent too many. */
  readonly droppedSeries: number;
}

/** One end of an edge. */
export interface EdgeEnd {
  /** "" outside the mesh. */
  readonly namespace: string;
  /** As `StatsRow.name` has it; a host, or `unknown`, outside the mesh. */
  readonly name: string;
  /** SPIFFE ID; "" when no certificate said it. */
  readonly identity: string;
  /** Outside: no workload of the mesh. */
  readonly isOutside: boolean;
}

/** Who calls whom: calls from one service, workload or version to another. */
export interface EdgeRow extends CallSignals {
  readonly from: EdgeEnd;
  readonly to: EdgeEnd;
}

export interface EdgeReport {
  readonly windowSeconds: number;
  readonly rows: readonly EdgeRow[];
}

/** One hour of golden signals, oldest point first; null where nothing was measured. Seconds, shares and ms as in `CallSignals`. */
export interface HistoryReport {
  readonly startMs: number;
  readonly stepMs: number;
  readonly rps: readonly (number | null)[];
  readonly success: readonly (number | null)[];
  readonly p50: readonly (number | null)[];
  readonly p95: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
  readonly denied: readonly (number | null)[];
  readonly tcp: readonly (number | null)[];
  /** Of the busiest sidecar: the share of time its event loop was busy. */
  readonly saturation: readonly (number | null)[];
  /** Calls by how long they took, of each point; one count more than bounds, and none where it was silent. */
  readonly heat?: {
    readonly boundsMs: readonly number[];
    readonly counts: readonly (readonly number[])[];
  };
}

/** Where the dashboard is opened: the address works once and for a short time. */
export interface DashboardLogin {
  readonly url: string;
  readonly expiresAtMs: number;
}

export interface CreateTokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly ttlSeconds?: number;
}

export interface CreatedToken {
  readonly id: string;
  /** Shown once: only its hash is kept. */
  readonly token: string;
  readonly identity: string;
  readonly expiresAtMs: number;
}

export interface TokenRecord {
  readonly id: string;
  readonly identity: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly state: "unused" | "used" | "expired" | "revoked";
}

export interface TokenList {
  readonly tokens: readonly TokenRecord[];
}

/** A certificate, or what an identity had, that the control plane does not believe until it has expired. */
export interface RevocationRecord {
  readonly kind: "serial" | "identity";
  readonly value: string;
  readonly atMs: number;
  readonly untilMs: number;
}

/** One line of the audit log. */
export interface AuditRecord {
  readonly atMs: number;
  readonly event: string;
  readonly subject: string;
  readonly authorizedBy: string;
  readonly address: string;
  readonly serial?: string;
  readonly keyHash?: string;
  readonly expiresAtMs?: number;
}

/** Replacing the root: `prepare`, `trust`, `issue`, `retire`, `done`. */
export interface RotationStatus {
  readonly phase: string;
  /** The old root's key is in wrong hands: nothing waits for anybody. */
  readonly isForced: boolean;
  readonly from: { readonly subject: string; readonly fingerprint: string };
  readonly to: { readonly subject: string; readonly fingerprint: string };
  /** When each phase began, in order; the last is the current one. */
  readonly steps: readonly { readonly phase: string; readonly atMs: number }[];
  /** Workloads that have acknowledged the current phase. */
  readonly acknowledged: number;
  readonly waiting: readonly { readonly workload: string; readonly why: string }[];
}

export interface CaStatus {
  readonly trustDomain: string;
  /** The root that certificates come from. */
  readonly rootPem: string;
  /** Every root the mesh trusts, that one first. */
  readonly bundlePem: string;
  /** The certificate that signs, the root itself where there is no intermediate; absent where it is not known beforehand. */
  readonly issuerSubject?: string;
  readonly issuerNotAfterMs?: number;
  readonly rootFingerprint: string;
  readonly rootSubject: string;
  readonly rootNotBeforeMs: number;
  readonly rootNotAfterMs: number;
  readonly certificateTtlSeconds: number;
  /** Certificates and identities that are not believed, newest first. */
  readonly revocations: readonly RevocationRecord[];
  /** The rotation of the root under way, or the last one. */
  readonly rotation?: RotationStatus;
  /** Certificates issued since this control plane started. */
  readonly issued: number;
}

/** Something that happened in the mesh, newest last. */
export interface MeshEvent {
  readonly atMs: number;
  readonly kind: string;
  readonly message: string;
}

export interface EventList {
  readonly events: readonly MeshEvent[];
}

/** Body of every answer that is not 2xx. */
export interface ApiErrorBody {
  readonly error: string;
  readonly hint?: string;
  readonly diagnostics?: readonly Diagnostic[];
}

/** The longest body the API takes. */
export const maxBodyBytes = 16 << 20;
