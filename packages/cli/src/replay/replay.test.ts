import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatRecorded } from "../explain/format-explanation.ts";
import { findCall } from "./find-call.ts";
import { formatReplay, replaySummary } from "./format-replay.ts";
import { parseAccessLogLine } from "./parse-access-log.ts";
import { CallRecord } from "./recorded-calls.ts";
import { replayCalls } from "./replay-calls.ts";
import { replayFiles } from "./replayed-mesh.ts";

const mesh = `
apiVersion: v1
kind: Service
metadata: { name: details }
spec: { selector: { app: details }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ratings }
spec: { template: { metadata: { labels: { app: ratings } }, spec: { serviceAccountName: ratings } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: productpage }
spec: { template: { metadata: { labels: { app: productpage } }, spec: { serviceAccountName: productpage } } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: details }
spec: { hosts: [details], http: [{ route: [{ destination: { host: details } }] }] }
`;

const policy = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: details }
spec:
  selector: { matchLabels: { app: details } }
  rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/productpage] } }] }]
`;

/** A line as a caller's sidecar writes it. */
function line(
  path: string,
  id: string,
  cluster = "outbound|9080||details.default.svc.cluster.local",
): string {
  return `[2026-01-01T00:00:00.000Z] "GET ${path} HTTP/1.1" 200 - via_upstream - "-" 0 178 3 2 "-" "curl/8 (a b)" "${id}" "details:9080" "10.0.0.2:9080" ${cluster} 10.0.0.1:4000 240.240.0.1:9080 10.0.0.1:5000 - default`;
}

const json = JSON.stringify({
  method: "GET",
  path: "/j",
  protocol: "HTTP/1.1",
  response_code: 200,
  authority: "details",
  upstream_cluster: "outbound|9080||details.default.svc.cluster.local",
  request_id: "j1",
  downstream_local_address: "240.240.0.1:9080",
  downstream_remote_address: "10.0.0.1:5000",
});

test("lines of both formats say the same, and what is neither is none", () => {
  assert.deepEqual(parseAccessLogLine(line("/x?q=1", "id-1")), {
    method: "GET",
    path: "/x?q=1",
    authority: "details:9080",
    status: 200,
    flags: "",
    details: "via_upstream",
    requestId: "id-1",
    cluster: "outbound|9080||details.default.svc.cluster.local",
    local: "240.240.0.1:9080",
    remote: "10.0.0.1:5000",
    userAgent: "curl/8 (a b)",
  });
  assert.equal(parseAccessLogLine(json)?.path, "/j");
  const none = [
    "weft: sidecar ready",
    "{",
    "null",
    '{"method":"GET"}',
    line("/x", "1").replace('"GET /x HTTP/1.1"', '"- - -"'),
    `${line("/x", "1")}${" ".repeat(70_000)}`,
  ];
  for (const text of none) assert.equal(parseAccessLogLine(text), undefined, text.slice(0, 60));
});

test("calls that are alike are counted, one that both ends logged once", () => {
  const record = new CallRecord();
  record.add(line("/a", "1"), "ratings");
  record.add(line("/a", "2"), "ratings");
  record.add(line("/a", "2", "inbound|9080||"), "details");
  record.add(line("/a", "3", "inbound|9080||"), "details");
  record.add(json, undefined);
  record.add("no request", undefined);
  assert.equal(record.skipped, 1);
  assert.deepEqual(
    record.calls.map(({ caller, url, count }) => ({ caller, url, count })),
    [
      { caller: { name: "ratings" }, url: "http://details:9080/a", count: 2 },
      { caller: { address: "10.0.0.1" }, url: "http://details:9080/a", count: 1 },
      { caller: { address: "10.0.0.1" }, url: "http://details:9080/j", count: 1 },
    ],
  );
});

async function replay(changed: string) {
  const record = new CallRecord();
  for (let i = 0; i < 12; i++) record.add(line("/details/0", `r${i}`), "ratings");
  for (let i = 0; i < 3; i++) record.add(line("/details/0", `p${i}`), "productpage");
  record.add(line("/details/0", "n"), "nobody");
  const { before, after } = replayFiles(
    [{ name: "mesh.yaml", text: mesh }],
    [{ name: "new.yaml", text: changed }],
    "cluster.local",
  );
  return replayCalls(record.calls, before, after);
}

test("a policy says whose calls it would deny, and where it is written that it does not", async () => {
  const report = await replay(policy);
  assert.equal(
    replaySummary(report),
    "16 calls: 12 would differ, 3 would not; 1 call of callers that are not known",
  );
  assert.match(
    formatReplay(report),
    /^would deny 12 calls from ratings to details:9080\n {2}goes to details\.default\.svc\.cluster\.local => answered 403 .*no ALLOW policy of details\.default is for it\n {2}for example GET http:\/\/details:9080\/details\/0\n$/,
  );
});

test("a changed route takes the place of the one of its name", async () => {
  const changed = (action: string) =>
    `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: details }\nspec: { hosts: [details], http: [{ ${action} }] }\n`;
  const same = await replay(changed("route: [{ destination: { host: details } }]"));
  assert.deepEqual(same.differences, []);
  const answered = await replay(changed("directResponse: { status: 410 }"));
  assert.deepEqual(
    answered.differences.map(({ change, caller, count }) => [change, caller, count]),
    [
      ["answered", "ratings", 12],
      ["answered", "productpage", 3],
    ],
  );
  assert.match(answered.differences[0]!.origin!, /^new\.yaml:4:/);
  const timeout = await replay(changed("timeout: 1s, route: [{ destination: { host: details } }]"));
  assert.equal(timeout.differences[0]?.change, "other");
  await assert.rejects(replay(changed("rout: []")), /new\.yaml:4:.*unknown field/);
});

test("a call is found by its request id, the caller's own line before the callee's", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weft-logs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, lines: readonly string[]) => {
    writeFileSync(join(folder, name), lines.join("\n"));
    return join(folder, name);
  };
  const denied = (text: string) =>
    text.replace("200 - via_upstream", "403 - rbac_access_denied_matched_policy[none]");
  const callee = file("details.log", [
    line("/x", "id-0", "inbound|9080||"),
    denied(line("/x", "id-1", "inbound|9080||")),
  ]);
  const caller = file("ratings.log", [line("/other", "id-0"), line("/x", "id-1")]);
  const { after } = replayFiles(
    [{ name: "mesh.yaml", text: mesh }],
    [{ name: "new.yaml", text: policy }],
    "cluster.local",
  );
  const { question, recorded } = await findCall("id-1", [callee, `ratings=${caller}`], after.reader);
  assert.deepEqual([question.from, question.path, recorded.status], ["ratings", "/x", 200]);
  assert.equal(recorded.place, `${caller}:2`);
  const explanation = await after.explainer.explain(question);
  assert.match(
    formatRecorded(recorded, explanation),
    /^recorded: 200 via_upstream \(not as the mesh would answer now/,
  );
  const now = { ...recorded, status: 403, details: "rbac_access_denied_matched_policy[none]" };
  assert.match(formatRecorded(now, explanation), /\(as the mesh would answer now\)/);
  await assert.rejects(findCall("id-2", [caller], after.reader), /no call with the request id id-2/);
  await assert.rejects(findCall("id-1", [callee], after.reader), /no workload is known at 10\.0\.0\.1/);
});
