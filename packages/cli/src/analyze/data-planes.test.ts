import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { analyze } from "@weft/control/analyze/analyze";
import { writtenMesh } from "@weft/control/inspect/written-mesh";
import { parseDataPlane, writtenClients } from "./data-planes.ts";

const deployment = (name: string, annotations = "") => `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} }, annotations: { ${annotations} } }
    spec: { containers: [] }
`;
const text = `apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { selector: { app: reviews }, ports: [{ name: grpc, port: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - rewrite: { uri: /v2 }
      corsPolicy: { allowOrigins: [{ exact: "https://a.example" }], unmatchedPreflights: IGNORE }
      route: [{ destination: { host: reviews } }]
${deployment("reviews")}${deployment("web", 'inject.istio.io/templates: "sidecar, grpc-agent"')}${deployment("old")}`;

/** What analysis says of data planes. */
function said(...choices: string[]): string[] {
  const written = writtenMesh([{ name: "mesh.yaml", text }], { trustDomain: "cluster.local" });
  const clients = writtenClients(written, choices.map(parseDataPlane));
  return analyze(written.mesh, written.resources, clients)
    .filter(({ code }) => code === "W2201")
    .map((one) =>
      formatDiagnostic(one).replace(/^.*W2201: reviews\.default\.svc\.cluster\.local: | of Virtual.*$/g, ""),
    );
}

describe("the data planes of a mesh that is only written", () => {
  it("are what annotations of pods ask for, else Weft's sidecar", () => {
    assert.deepEqual(said(), [
      "1 proxyless client ignores the CORS policy",
      "1 proxyless client ignores the rewrite",
    ]);
  });

  it("are what is chosen, for one workload or for all, the last of several", () => {
    assert.deepEqual(said("web=weft", "old=envoy/1.29"), [
      "1 Envoy 1.29 client ignores unmatchedPreflights: IGNORE",
    ]);
    assert.deepEqual(said("*=weft"), []);
    assert.match(said("*=weft", "*=proxyless").join(), /3 proxyless clients ignore the rewrite/);
  });

  it("are refused where they are no data plane", () => {
    for (const wrong of ["reviews", "=envoy", "reviews=nginx", "reviews=envoy/new"]) {
      assert.throws(() => parseDataPlane(wrong), /WORKLOAD=proxyless/, wrong);
    }
  });
});
