import type { Diagnostic } from "@weft/base/diagnostics";
import type { CallSignals, MeshEvent, ProxyStatus, Saturation, WorkloadStatus } from "../api/protocol.ts";

/**
 * What the dashboard shows of the mesh as it is now: a summary, and tables whose
 * rows have ids, so that what changed can be told without the rest. Browser and
 * control plane read the same types.
 */
export interface DashboardView {
  readonly mesh: MeshSummary;
  readonly tables: Tables;
}

export type Table<Row> = Readonly<Record<string, Row>>;

export interface Tables {
  /** By `<namespace>/<name>`. */
  readonly services: Table<ServiceRow>;
  /** By `<namespace>/<service>/<version>`. */
  readonly versions: Table<VersionRow>;
  /** By `<service id>><service id>`; an end outside the mesh has an empty namespace. */
  readonly edges: Table<ServiceEdge>;
  /** By workload id. */
  readonly workloads: Table<WorkloadRow>;
  /** By xDS node id. */
  readonly proxies: Table<ProxyStatus>;
  /** By place in the list of problems. */
  readonly problems: Table<Diagnostic>;
  /** By number; the newest has the highest. */
  readonly events: Table<MeshEvent>;
}

export type TableName = keyof Tables;

export interface MeshSummary extends CallSignals, Saturation {
  readonly atMs: number;
  readonly startedAtMs: number;
  readonly version: string;
  readonly trustDomain: string;
  readonly revision: number;
  readonly windowSeconds: number;
  /** Series that were not kept because a workload sent too many: numbers are too low then. */
  readonly droppedSeries: number;
  /** Rows that tables are without because there are too many: the least busy, and proxies that are in sync. */
  readonly leftOut: number;
  readonly rootNotAfterMs: number;
  /** Traces can be read from somewhere. */
  readonly hasTraces: boolean;
  /** Change → last acknowledgement, of the recent pushes. */
  readonly convergenceP99Ms?: number;
}

export interface ServiceRow extends CallSignals, Saturation {
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  readonly isExternal: boolean;
  readonly instances: number;
  readonly healthy: number;
  readonly meshed: number;
  /** How many workloads demand mutual TLS. */
  readonly strict: number;
}

export interface VersionRow extends CallSignals {
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
  readonly instances: number;
}

export interface ServiceEdge extends CallSignals {
  readonly from: string;
  readonly to: string;
  /** SPIFFE IDs; "" when no certificate said it. */
  readonly fromIdentity: string;
  readonly toIdentity: string;
}

export interface WorkloadRow extends WorkloadStatus, Saturation {
  readonly identity: string;
  readonly hasSidecar: boolean;
  /** Of the certificate that it uses now; absent until its agent has said. */
  readonly certificateNotBeforeMs?: number;
  readonly certificateNotAfterMs?: number;
}

/** What the dashboard asks for about one service when somebody looks at it. */
export interface ServiceDetail {
  readonly hostname: string;
  readonly ports: readonly { readonly number: number; readonly name: string; readonly protocol: string }[];
  readonly origin?: string;
  readonly destinationRule?: string;
  readonly subsets: readonly {
    readonly name: string;
    readonly version: string;
    readonly origin: string;
  }[];
  readonly routes: readonly RouteDetail[];
  readonly policies: readonly PolicyDetail[];
  /** What its workloads accept: STRICT, PERMISSIVE, DISABLE. */
  readonly mtlsModes: readonly string[];
  readonly failures: readonly FailingCalls[];
}

export interface RouteDetail {
  readonly protocol: "http" | "tls" | "tcp";
  readonly name: string;
  readonly match: string;
  /** What happens with what matches, where that is not just forwarding. */
  readonly action: string;
  readonly destinations: readonly {
    readonly host: string;
    readonly subset: string;
    /** Of the sum of all. */
    readonly share: number;
  }[];
  /** Resource path and `file:line:column`. */
  readonly config: string;
  readonly origin: string;
}

export interface PolicyDetail {
  readonly action: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
  readonly name: string;
  readonly namespace: string;
  readonly rules: number;
  readonly origin: string;
}

/** Calls of the last two minutes that failed alike. */
export interface FailingCalls {
  readonly from: string;
  /** Which version answered; "" when none did. */
  readonly version: string;
  readonly responseCode: string;
  readonly grpcStatus: string;
  /** Envoy's response flags; "" when the application answered by itself. */
  readonly flags: string;
  readonly calls: number;
  /** `file:line:column` of what decides about such calls; absent where no resource does. */
  readonly origin?: string;
}

/** A call that somebody asks about. */
export interface AskedCall {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  /** `name: value` each. */
  readonly headers: readonly string[];
}

/** What a call would do and why, as `weft explain -o json` has it. */
export interface CallExplanation {
  readonly request: { readonly method: string; readonly url: string };
  readonly caller: { readonly workload: string; readonly identity: string };
  readonly steps: readonly ExplainedStep[];
  readonly outcome: {
    readonly result: "forwarded" | "answered" | "denied" | "refused" | "undecided";
    readonly summary: string;
    readonly status?: number;
    readonly flags?: string;
    readonly destinations: readonly {
      readonly service: string;
      readonly subset: string;
      readonly percent: number;
      readonly endpoints: number;
      readonly tls: "mutual" | "tls" | "none";
      readonly problem?: { readonly status: number; readonly flags: string; readonly why: string };
    }[];
  };
}

export interface ExplainedStep {
  /** Whose proxy: a workload's id. */
  readonly at: string;
  readonly step: string;
  readonly chosen: string;
  readonly detail?: string;
  readonly origin?: string;
  readonly lost?: readonly { readonly what: string; readonly why: string; readonly origin?: string }[];
}

/** One trace as a waterfall: spans in the order of their start, parents before children. */
export interface TraceReport {
  readonly traceId: string;
  /** Where the same is in the tracing system's own pages. */
  readonly link: string;
  readonly durationMs: number;
  readonly spans: readonly TraceSpan[];
}

export interface TraceSpan {
  readonly id: string;
  readonly depth: number;
  readonly service: string;
  readonly operation: string;
  /** After the trace's start. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly isFailed: boolean;
  /** What says most about it: status, flags, route, retries. */
  readonly notes: readonly string[];
}
