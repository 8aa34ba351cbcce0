import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecalledRequest } from "../api/observe-protocol.ts";
import { recentFailures } from "./recent-failures.ts";

function seen(
  workload: string,
  startedMs: number,
  more: Partial<RecalledRequest["request"]>,
): RecalledRequest {
  const request = {
    method: "GET",
    path: "/x",
    requestId: "r",
    status: 200,
    flags: "",
    isLocalReply: false,
    ...more,
  };
  return {
    workload,
    request: { id: "1", startedMs, decidedBy: "", decidedOrigin: "", ...request },
  } as RecalledRequest;
}

test("a failing request is told once, by the data plane that answered it, the newest first", () => {
  const requests = [
    seen("web", 1, { requestId: "a", status: 403, details: "via_upstream" }),
    seen("api", 2, {
      requestId: "a",
      status: 403,
      isLocalReply: true,
      decidedBy: "policy x",
      decidedOrigin: "p.yaml:8:7",
    }),
    seen("web", 3, {
      requestId: "b",
      status: 503,
      flags: "UF",
      isLocalReply: true,
      routeOrigin: "r.yaml:2:1",
    }),
    seen("web", 4, { requestId: "c", status: 404 }),
    seen("web", 5, { requestId: "d" }),
  ];
  const failures = recentFailures({ requests, asked: 2, unseen: [] });
  assert.deepEqual(
    failures.map(({ at, requestId, origin }) => [at, requestId, origin]),
    [
      ["web", "b", "r.yaml:2:1"],
      ["api", "a", "p.yaml:8:7"],
    ],
  );
});
