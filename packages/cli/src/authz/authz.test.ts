import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import type { EdgeRow } from "@weft/control/api/protocol";
import { parseConfig } from "@weft/control/config/parse-config";
import { writtenMesh } from "@weft/control/inspect/written-mesh";
import { Explainer } from "../explain/explainer.ts";
import { parseQuestion } from "../explain/question.ts";
import { writtenReader } from "../explain/written-reader.ts";
import { decide } from "./decision.ts";
import { buildMatrix } from "./matrix.ts";
import { formatSuggestions, suggestPolicies } from "./suggest.ts";

const workload = (name: string) => `
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec: { template: { metadata: { labels: { app: ${name} } }, spec: { serviceAccountName: ${name} } } }
`;
const policy = (name: string, app: string, spec: string) => `
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name} }
spec: { selector: { matchLabels: { app: ${app} } }, ${spec} }
`;
const principal = (name: string) =>
  `from: [{ source: { principals: [cluster.local/ns/default/sa/${name}] } }]`;

const mesh = [
  ...["web", "api", "db"].map(workload),
  policy(
    "api-callers",
    "api",
    `rules: [{ ${principal("web")}, to: [{ operation: { methods: [GET], paths: ["/items*"] } }] }]`,
  ),
  policy("db-callers", "db", `rules: [{ ${principal("api")} }]`),
  policy("db-never", "db", 'action: DENY, rules: [{ to: [{ operation: { paths: ["/admin"] } }] }]'),
].join("");

function open() {
  const written = writtenMesh([{ name: "mesh.yaml", text: mesh }], { trustDomain: "cluster.local" });
  const errors = written.diagnostics.filter(({ severity }) => severity === "error");
  assert.deepEqual(errors, []);
  const reader = writtenReader(written);
  return { reader, explainer: new Explainer(reader) };
}

const id = (name: string) => `spiffe://cluster.local/ns/default/sa/${name}`;
const edge = (from: string, to: string, more: Partial<EdgeRow> = {}): EdgeRow =>
  ({
    from: { namespace: "default", name: from, identity: id(from), isOutside: false },
    to: { namespace: "default", name: to, identity: id(to), isOutside: false },
    requestsPerSecond: 1,
    tcpConnections: 0,
    ...more,
  }) as EdgeRow;

describe("whether a call is allowed", () => {
  const cases: readonly [from: string, method: string, to: string, verdict: string, policy: RegExp][] = [
    ["web", "GET", "api:9080/items/1", "allowed", /^AuthorizationPolicy default\/api-callers, rule 0$/],
    ["web", "POST", "api:9080/items/1", "denied", /^$/],
    ["web", "GET", "api:9080/", "denied", /^$/],
    ["db", "GET", "api:9080/items/1", "denied", /^$/],
    ["api", "GET", "db:9080/", "allowed", /db-callers, rule 0$/],
    ["api", "GET", "db:9080/admin", "denied", /db-never, rule 0$/],
    ["api", "GET", "db:9080/x/../admin", "denied", /db-never, rule 0$/],
    ["db", "GET", "web:9080/", "allowed", /^$/],
    ["web", "GET", "nowhere:9080/", "allowed", /^$/],
  ];
  for (const [from, method, to, verdict, by] of cases) {
    it(`${from} ${method} ${to}: ${verdict}`, async () => {
      const decision = await decide(open().explainer, parseQuestion(from, to, { method }));
      assert.equal(decision.verdict, verdict, JSON.stringify(decision));
      const [first] = decision.destinations;
      assert.match(first!.policy ?? "", by);
      if (first!.policy) assert.match(first!.origin ?? "", /^mesh\.yaml:\d+:\d+$/);
    });
  }
});

test("a matrix says what every identity may, by request where policies tell them apart, and what was seen", async () => {
  const { reader, explainer } = open();
  const edges = [edge("web", "api"), edge("web", "db", { requestsPerSecond: 2, deniedPerSecond: 2 })];
  const cells = await buildMatrix(reader, explainer, { edges });
  const shown = cells.map(({ caller, callee, verdict, deniedPerSecond }) => [
    caller.replace(/^.*\//, ""),
    callee.replace(/\..*/, ""),
    verdict,
    deniedPerSecond,
  ]);
  assert.deepEqual(shown, [
    ["api", "api", "denied", undefined],
    ["api", "db", "partly", undefined],
    ["api", "web", "allowed", undefined],
    ["db", "api", "denied", undefined],
    ["db", "db", "denied", undefined],
    ["db", "web", "allowed", undefined],
    ["web", "api", "partly", 0],
    ["web", "db", "denied", 2],
    ["web", "web", "allowed", undefined],
  ]);
  const partly = cells.find(({ caller, callee }) => caller === id("web") && callee.startsWith("api"))!;
  assert.deepEqual(
    partly.requests
      .filter(({ verdict }) => verdict === "allowed")
      .map(({ method, path }) => `${method} ${path}`),
    ["GET /itemsx"],
  );
});

test("suggested policies allow who was seen and proved who it is, and are taken as they are written", async () => {
  const { reader } = open();
  const unknown = { namespace: "", name: "unknown", identity: "", isOutside: true };
  const edges = [
    edge("web", "api"),
    edge("db", "api", { requestsPerSecond: 1, deniedPerSecond: 1 }),
    edge("api", "db", { requestsPerSecond: 0, tcpConnections: 3 }),
    { ...edge("web", "db"), from: unknown },
    { ...edge("web", "web"), to: { ...unknown, name: "example.com" } },
  ];
  const suggestions = await suggestPolicies(edges, reader, undefined);
  assert.deepEqual(
    suggestions.map(({ service, principals, notes }) => [service, principals, notes]),
    [
      ["api", ["cluster.local/ns/default/sa/web"], ["calls of default/db are denied now, and stay so"]],
      [
        "db",
        ["cluster.local/ns/default/sa/api"],
        ["calls of unknown prove no identity, and would be denied"],
      ],
    ],
  );
  const text = formatSuggestions(suggestions);
  const { resources, diagnostics } = parseConfig([{ name: "suggested.yaml", text }]);
  assert.deepEqual(diagnostics, [], text);
  assert.deepEqual(
    resources.map(({ kind, name }) => `${kind} ${name}`),
    ["AuthorizationPolicy api-callers", "AuthorizationPolicy db-callers"],
  );
  assert.deepEqual(await suggestPolicies(edges, reader, "other"), []);
});
