import type { ObservedEvent, ObservedRequest, RecallPlan, WatchPlan } from "@weft/xds/observed-request";
import type { AcceptedUpdate } from "../config/xds-session.ts";
import type { WantedKind } from "../data-plane.ts";
import type { DrainPlan, DrainRequest } from "../listener/listener-set.ts";
import type { StatsCopy } from "../telemetry/stats-copy.ts";

/** What a worker is started with. */
export interface WorkerStart {
  readonly kind: "weft-worker";
  readonly concurrency: number;
  /** 1 for the first beside the one that starts it. */
  readonly worker: number;
  readonly logLevel: string;
  readonly drain?: DrainPlan | undefined;
  /** Whether requests are remembered, and shown to those who watch. */
  readonly observesRequests: boolean;
  /** The bootstrap as the first worker read it: the file may have changed since. */
  readonly file: string;
  readonly text: string;
}

/** From the first worker to another. */
export type ToWorker =
  | { readonly t: "update"; readonly update: AcceptedUpdate }
  | { readonly t: "socket"; readonly key: string; readonly fd: number | undefined }
  | { readonly t: "stats" }
  | { readonly t: "reset-counters" }
  | { readonly t: "reopen-logs" }
  | { readonly t: "log-level"; readonly level: string }
  | { readonly t: "fail-health-checks"; readonly isFailed: boolean }
  | { readonly t: "drain-listeners"; readonly request: DrainRequest }
  | { readonly t: "drain"; readonly graceMs: number }
  | { readonly t: "stop-accepting" }
  | { readonly t: "watch"; readonly watch: number; readonly plan: WatchPlan }
  | { readonly t: "unwatch"; readonly watch: number }
  | { readonly t: "recall"; readonly plan: RecallPlan }
  | { readonly t: "close" };

/** And back. Questions of one kind are answered in the order in which they were asked. */
export type FromWorker =
  | { readonly t: "started" }
  | { readonly t: "need-socket"; readonly key: string }
  | { readonly t: "want"; readonly kind: WantedKind; readonly source: string; readonly name: string }
  | { readonly t: "stats"; readonly stats: StatsCopy }
  | {
      readonly t: "observed";
      readonly watch: number;
      readonly event: ObservedEvent;
      /** How many were over the worker's own limit so far. */
      readonly limited: number;
    }
  | { readonly t: "recalled"; readonly requests: readonly ObservedRequest[] }
  | { readonly t: "drained" };

export function isWorkerStart(data: unknown): data is WorkerStart {
  return typeof data === "object" && data !== null && (data as Partial<WorkerStart>).kind === "weft-worker";
}
