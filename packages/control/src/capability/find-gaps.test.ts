import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { fixture } from "../translate/mesh-fixture.ts";
import { type DataPlane, dataPlaneOf } from "./data-plane.ts";
import { findCapabilityGaps } from "./find-gaps.ts";

const routes = `apiVersion: networking.istio.io/v1
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
      corsPolicy: { allowOrigins: [{ exact: "https://a.example" }], unmatchedPreflights: IGNORE }
      route: [{ destination: { host: api } }]
    - timeout: 1s
      retries: { attempts: 1, retryOn: "5xx,unavailable", perTryTimeout: 1s }
      route: [{ destination: { host: api }, headers: { request: { set: { x: "1" } } } }]
`;
const rule = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec:
  host: api
  trafficPolicy: { loadBalancer: { consistentHash: { useSourceIp: true } }, connectionPool: { tcp: { maxConnections: 3 } } }
  subsets: [{ name: v1, trafficPolicy: { tls: { mode: SIMPLE } } }]
`;
const policies = `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: users }
spec: { jwtRules: [{ issuer: me, jwksUri: "https://a.example/keys" }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: templates }
spec: { rules: [{ to: [{ operation: { paths: ["/a/{*}"] } }] }] }
`;
const scenario = {
  workloads: [
    { service: "api" },
    { service: "web", version: "v1" },
    { service: "web", version: "v2" },
    { service: "far", namespace: "far" },
  ],
};
const grpc = dataPlaneOf("gRPC Go/1.85.0", true);

function said(yaml: string, dataPlane: DataPlane, ...workloads: string[]): string[] {
  const { mesh } = fixture(scenario, yaml);
  const clients = workloads.map((name) => ({ workloadId: name, dataPlane }));
  return findCapabilityGaps(mesh, clients).map((found) =>
    formatDiagnostic(found).replace(/ \([^()]*\)$/, ""),
  );
}

const api = "W2201: api.default.svc.cluster.local";
const of = "of VirtualService default/api";

describe("what a data plane does not do", () => {
  it("is said of proxyless clients, counted, with its place", () => {
    assert.deepEqual(said(routes, grpc, "web-v1.default", "web-v2.default"), [
      `mesh.yaml:7:7: warning ${api}: 2 proxyless clients ignore the match of a query ${of}`,
      `mesh.yaml:7:7: warning ${api}: 2 proxyless clients ignore the rewrite ${of}`,
      `mesh.yaml:10:7: warning ${api}: 2 proxyless clients fail calls by the redirect ${of}`,
      `mesh.yaml:12:7: warning ${api}: 2 proxyless clients ignore the CORS policy ${of}`,
      `mesh.yaml:12:7: warning ${api}: 2 proxyless clients ignore the mirror ${of}`,
      `mesh.yaml:16:7: warning ${api}: 2 proxyless clients ignore retries on conditions that are no gRPC status ${of}`,
      `mesh.yaml:16:7: warning ${api}: 2 proxyless clients ignore the timeout per try ${of}`,
      `mesh.yaml:16:7: warning ${api}: 2 proxyless clients ignore the changes of headers ${of}`,
    ]);
    assert.match(said(routes, grpc, "web-v1.default")[1]!, /1 proxyless client ignores the rewrite/);
  });

  it("is said of policies too, by the place of the rule or of its subset", () => {
    const found = said(routes + rule, grpc, "web-v1.default").filter((one) =>
      one.includes("DestinationRule"),
    );
    assert.deepEqual(found, [
      `mesh.yaml:22:19: warning ${api}: 1 proxyless client ignores a hash of anything but a header of DestinationRule default/api`,
      `mesh.yaml:22:19: warning ${api}: 1 proxyless client ignores limits of connections and of their life of DestinationRule default/api`,
      `mesh.yaml:26:21: warning ${api}: 1 proxyless client fails calls by TLS to a server outside the mesh of DestinationRule default/api`,
    ]);
  });

  it("is said of nobody who does not see it, or does not call by it", () => {
    const own = routes.replace("hosts: [api]", 'hosts: [api]\n  exportTo: ["."]');
    assert.deepEqual(said(own, grpc, "far-v1.far"), []);
    const source = routes.replace(
      "match: [{ queryParams",
      "match: [{ sourceLabels: { app: other }, queryParams",
    );
    assert.ok(!said(source, grpc, "web-v1.default").some((one) => one.includes("query")));
  });

  it("is said of servers by what their own policies ask", () => {
    assert.deepEqual(said(policies, grpc, "far-v1.far", "api-v1.default"), [
      "mesh.yaml:4:20: warning W2202: api-v1.default: its proxyless data plane ignores the verification of tokens of RequestAuthentication default/users",
    ]);
  });

  it("depends on Envoy's version, and is nothing for Weft's own", () => {
    const old = dataPlaneOf("envoy/1.29.3", false);
    assert.deepEqual(said(routes, old, "web-v1.default"), [
      `mesh.yaml:12:7: warning ${api}: 1 Envoy 1.29 client ignores unmatchedPreflights: IGNORE ${of}`,
    ]);
    assert.match(
      said(policies, old, "api-v1.default").join(),
      /its Envoy 1.29 data plane refuses the path template of AuthorizationPolicy default\/templates/,
    );
    for (const all of [
      dataPlaneOf("envoy/1.30.0", false),
      dataPlaneOf("", false),
      dataPlaneOf("weft/0.1.0", false),
    ]) {
      assert.deepEqual(said(routes + rule, all, "web-v1.default"), []);
    }
  });
});
