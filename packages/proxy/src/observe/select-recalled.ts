import type { ObservedRequest, RecallPlan } from "@weft/xds/observed-request";
import { isWatched } from "./is-watched.ts";

const maxRecalled = 500;

/** The requests of those kept that are asked for, the newest first. */
export function selectRecalled(requests: Iterable<ObservedRequest>, recall: RecallPlan): ObservedRequest[] {
  const { requestId = "", sinceMs = 0, limit = 0, matching } = recall;
  const found: ObservedRequest[] = [];
  for (const request of requests) {
    if (requestId !== "" && request.requestId !== requestId) continue;
    if (endOf(request) < sinceMs) continue;
    if (matching && isWatched(matching, request, "end") !== true) continue;
    found.push(request);
  }
  found.sort((a, b) => endOf(b) - endOf(a));
  return found.slice(0, Math.min(limit || maxRecalled, maxRecalled));
}

function endOf({ startedMs, durationMs }: ObservedRequest): number {
  return startedMs + durationMs;
}
