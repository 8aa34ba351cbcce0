import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { fixture } from "../translate/mesh-fixture.ts";
import { ignoredByGrpc, unverifiedByGrpc } from "./ignored-by-grpc.ts";

const yaml = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec:
  hosts: [api]
  http:
    - match: [{ queryParams: { x: { exact: "1" } } }]
      rewrite: { uri: /v2 }
      route: [{ destination: { host: api } }]
    - match: [{ uri: { prefix: /old } }]
      redirect: { uri: /new }
    - match: [{ uri: { prefix: /copied } }]
      mirror: { host: api }
      corsPolicy: { allowOrigins: [{ exact: "https://a.example" }] }
      route: [{ destination: { host: api } }]
    - timeout: 1s
      retries: { attempts: 1 }
      route: [{ destination: { host: api }, headers: { request: { set: { x: "1" } } } }]
`;

test("what gRPC ignores or fails is said with its place, and only while it concerns somebody", () => {
  const { mesh } = fixture({ workloads: [{ service: "api" }] }, yaml);
  assert.deepEqual(ignoredByGrpc(mesh, 0), []);
  const said = ignoredByGrpc(mesh, 2).map(formatDiagnostic);
  const expected = [
    /2 clients without a sidecar ignore this match of a query/,
    /2 clients without a sidecar ignore this rewrite/,
    /2 clients without a sidecar fail calls to this redirect/,
    /2 clients without a sidecar ignore this CORS policy/,
    /2 clients without a sidecar ignore this mirror/,
    /2 clients without a sidecar ignore these changes of headers/,
  ];
  assert.equal(said.length, expected.length, said.join("\n"));
  for (const [i, pattern] of expected.entries()) {
    assert.match(said[i]!, pattern);
    assert.match(said[i]!, /^mesh\.yaml:\d+:\d+: warning W2201: api\.default/);
  }
  assert.match(ignoredByGrpc(mesh, 1)[1]!.message, /1 client without a sidecar ignores this rewrite/);
});

test("a server without a sidecar that should verify tokens is named", () => {
  const users = `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: users }
spec: { jwtRules: [{ issuer: me, jwksUri: "https://a.example/keys" }] }
`;
  const { mesh } = fixture({ workloads: [{ service: "api" }, { service: "web" }] }, users);
  assert.deepEqual(unverifiedByGrpc(mesh, new Set()), []);
  assert.deepEqual(unverifiedByGrpc(mesh, new Set(["api-v1.default", "gone"])).map(formatDiagnostic), [
    "mesh.yaml:4:20: warning W2202: api-v1.default has no sidecar and does not verify tokens of me (give it a sidecar)",
  ]);
});
