import type { RecallAnswer, RecalledRequest } from "../api/observe-protocol.ts";
import type { RecentFailure } from "../api/question-protocol.ts";

const maxRows = 50;

/**
 * The failing requests that data planes remember, the newest first: each once,
 * as that data plane tells it which answered by itself where one did.
 */
export function recentFailures({ requests }: RecallAnswer): readonly RecentFailure[] {
  const found = new Map<string, RecalledRequest>();
  for (const one of requests) {
    const { request, workload } = one;
    const isFailing =
      request.status >= 500 || request.flags !== "" || (request.isLocalReply && request.status >= 400);
    if (!isFailing || request.method === "") continue;
    const key =
      request.requestId === "" ? `${workload} ${request.id}` : `${request.requestId} ${request.path}`;
    const known = found.get(key);
    if (!known || (request.isLocalReply && !known.request.isLocalReply)) found.set(key, one);
  }
  return [...found.values()]
    .reverse()
    .slice(0, maxRows)
    .map(({ workload, request }) => ({
      at: workload,
      atMs: request.startedMs,
      requestId: request.requestId,
      from: request.source?.workload || request.source?.identity || request.downstreamRemote,
      method: request.method,
      path: request.path,
      status: request.status,
      flags: request.flags,
      details: request.details,
      decidedBy: request.decidedBy,
      ...((request.decidedOrigin || request.routeOrigin) && {
        origin: request.decidedOrigin || request.routeOrigin,
      }),
    }));
}
