import type { Diagnostic } from "@weft/base/diagnostics";
import type { CallSignals, MeshEvent, ProxyStatus, Saturation, WorkloadStatus } from "../api/protocol.ts";

export type * from "../api/question-protocol.ts";

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

/** A call that somebody asks about. */
export interface AskedCall {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  /** `name: value` each. */
  readonly headers: readonly string[];
}
