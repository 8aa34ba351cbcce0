import { UserError } from "@weft/base/errors";
import type { ApiClient } from "@weft/control/api/client";
import type { RecalledRequest } from "@weft/control/api/observe-protocol";
import { Explainer } from "./explainer.ts";
import type { Explanation } from "./explanation.ts";
import { liveReader } from "./live-reader.ts";
import { observedCalls } from "./observed-calls.ts";

/** What one data plane recorded of a call. */
export interface RecordedEnd {
  /** Whose: a workload's id. */
  readonly at: string;
  readonly direction: string;
  readonly startedMs: number;
  readonly durationMs: number;
  readonly status: number;
  readonly flags: string;
  readonly details: string;
  readonly attempts: number;
  readonly upstreamHost: string;
  readonly route: string;
  readonly routeOrigin: string;
  readonly decidedBy: string;
  readonly decidedOrigin: string;
  /** Configuration that concerns it and was changed since. */
  readonly changes: readonly { readonly type: string; readonly name: string; readonly atMs: number }[];
}

/** A call that was made: what happened, and the chain of decisions as the mesh makes it now. */
export interface ObservedExplanation extends Explanation {
  readonly recorded: readonly RecordedEnd[];
  /** The configuration that decided is still in force, as far as the data planes know. */
  readonly isConfigurationSame: boolean;
  /** The mesh would answer so now. */
  readonly isSameNow: boolean;
  /** What of the request was not kept, so that conditions on it may be judged wrongly. */
  readonly unknown: readonly string[];
  /** "" where it has none. */
  readonly traceId: string;
}

/**
 * Explains every call of a request id by what data planes remember of it and
 * their own engine. @throws UserError where nobody remembers it
 */
export async function explainObserved(
  requestId: string,
  api: ApiClient,
): Promise<readonly ObservedExplanation[]> {
  const { requests } = await api.recall({ requestId, withHeaders: true, limit: 20 });
  const explainer = new Explainer(liveReader(api));
  const explained: ObservedExplanation[] = [];
  for (const { question, outbound, inbound, unknown } of observedCalls(requestId, requests)) {
    const ends = [outbound, inbound].filter((end) => end !== undefined);
    const explanation = await explainer.explain(question);
    const recorded = ends.map(recordedEnd);
    explained.push({
      ...explanation,
      recorded,
      isConfigurationSame: recorded.every(({ changes }) => changes.length === 0),
      isSameNow: isSame(explanation, ends),
      unknown,
      traceId: ends.map(traceIdOf).find((id) => id !== "") ?? "",
    });
  }
  if (explained.length === 0) throw new UserError(`nothing is known of ${requestId}`);
  return explained;
}

function recordedEnd({ workload, request }: RecalledRequest): RecordedEnd {
  const { direction, startedMs, durationMs, status, flags, details, attempts, upstreamHost } = request;
  const { route, routeOrigin, decidedBy, decidedOrigin, changes = [] } = request;
  return {
    at: workload,
    direction,
    startedMs,
    durationMs,
    status,
    flags,
    details,
    attempts,
    upstreamHost,
    route,
    routeOrigin,
    decidedBy,
    decidedOrigin,
    changes,
  };
}

/** Of W3C Trace Context, or of B3. */
function traceIdOf({ request: { headers = [] } }: RecalledRequest): string {
  const get = (name: string) =>
    headers[headers.findIndex((field, i) => i % 2 === 0 && field === name) + 1] ?? "";
  const context = headers.includes("traceparent")
    ? /^00-([0-9a-f]{32})-/.exec(get("traceparent"))?.[1]
    : undefined;
  return context ?? (headers.includes("x-b3-traceid") ? get("x-b3-traceid") : "");
}

/** As far as data planes decide: what an endpoint answers is its own. */
function isSame({ outcome }: Explanation, ends: readonly RecalledRequest[]): boolean {
  const own = ends.map(({ request }) => request.details).find((one) => one !== "" && one !== "via_upstream");
  // A fault for a share of requests is one of the ways it may go.
  if (own === "fault_filter_abort" && outcome.fault) return true;
  return own === undefined ? outcome.result === "forwarded" : outcome.details === own;
}
