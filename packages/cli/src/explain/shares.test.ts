import assert from "node:assert/strict";
import { test } from "node:test";
import { writtenMesh } from "@weft/control/inspect/written-mesh";
import { Explainer } from "./explainer.ts";
import { formatExplanation } from "./format-explanation.ts";
import { parseQuestion } from "./question.ts";
import { writtenReader } from "./written-reader.ts";

const workload = (name: string) => `---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 80 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec: { template: { metadata: { labels: { app: ${name} } } } }
`;

const mesh = `${["client", "one", "two", "copy"].map(workload).join("")}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: one }]
  rules:
  - backendRefs:
    - { name: one, port: 80, weight: 5 }
    - name: two
      port: 80
      weight: 3
      filters:
      - { type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replaceFullPath: /two } } }
      - { type: RequestMirror, requestMirror: { backendRef: { name: copy, port: 80 }, percent: 50 } }
    - name: one
      port: 80
      weight: 2
      filters: [{ type: RequestRedirect, requestRedirect: { hostname: new.example } }]
`;

test("each share of the requests is told with what becomes of it", async () => {
  const written = writtenMesh([{ name: "mesh.yaml", text: mesh }], { trustDomain: "cluster.local" });
  const explainer = new Explainer(writtenReader(written));
  const explanation = await explainer.explain(parseQuestion("client", "http://one/x", {}));
  const { outcome, steps } = explanation;
  assert.deepEqual(
    outcome.destinations.map(({ service, percent }) => [service, percent]),
    [
      ["one.default.svc.cluster.local", 50],
      ["two.default.svc.cluster.local", 30],
    ],
  );
  assert.deepEqual(outcome.mirrors, [
    { cluster: "outbound|80||copy.default.svc.cluster.local", percent: 15 },
  ]);
  assert.match(
    outcome.summary,
    /^goes 50 % to one\..*, 30 % to two\..*, 20 % redirected to http:\/\/new\.example\/x$/,
  );
  const told = steps
    .filter(({ step }) => ["share", "rewrite", "mirror", "redirect"].includes(step))
    .map(({ step, chosen }) => `${step}: ${chosen}`);
  assert.deepEqual(told, [
    "share: 50 % of these requests",
    "share: 15 % of these requests",
    "rewrite: path /two",
    "mirror: 100 % are copied to outbound|80||copy.default.svc.cluster.local",
    "share: 15 % of these requests",
    "rewrite: path /two",
    "share: 20 % of these requests",
    "redirect: 302 to http://new.example/x",
  ]);
  assert.doesNotMatch(formatExplanation(explanation), /a share of requests/);
});
