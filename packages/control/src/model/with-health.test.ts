import assert from "node:assert/strict";
import { test } from "node:test";
import { fixture, workload } from "../translate/mesh-fixture.ts";
import { buildGround, type MeshInput, routeMesh } from "./build-mesh.ts";
import { servedBy, withHealth } from "./with-health.ts";

const yaml = `
apiVersion: v1
kind: Service
metadata: { name: all }
spec: { selector: { app: api }, ports: [{ port: 80, targetPort: 9080, name: http }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec: { host: api, subsets: [{ name: v1, labels: { version: v1 } }] }
`;
const headless = `
apiVersion: v1
kind: Service
metadata: { name: each }
spec: { clusterIP: None, selector: { app: api }, ports: [{ port: 80, targetPort: 9080, name: http }] }
`;
const workloads = [{ service: "web" }, { service: "api", version: "v1" }, { service: "api", version: "v2" }];

function basisOf(input: MeshInput) {
  const ground = buildGround(input);
  const { drafts } = ground;
  const { mesh, diagnostics } = routeMesh(ground, input.resources);
  return { mesh, diagnostics, drafts, served: servedBy(drafts) };
}

/** The same input with one workload well or unwell. */
function turned(input: MeshInput, id: string, isHealthy: boolean): MeshInput {
  return { ...input, workloads: input.workloads.map((w) => (w.id === id ? { ...w, isHealthy } : w)) };
}

test("following health gives the mesh that a rebuild gives, back and forth, and shares all the rest", () => {
  let { input } = fixture({ workloads }, yaml);
  let basis = basisOf(input);
  for (const [id, isHealthy] of [
    ["api-v1.default", false],
    ["web-v1.default", false],
    ["api-v2.default", false],
    ["api-v1.default", true],
    ["api-v2.default", true],
  ] as const) {
    input = turned(input, id, isHealthy);
    const next = withHealth(basis, [input.workloads.find((w) => w.id === id)!])!;
    const rebuilt = basisOf(input);
    assert.deepEqual(next.mesh, rebuilt.mesh, id);
    assert.deepEqual(next.diagnostics, rebuilt.diagnostics, "what is said does not depend on health");
    assert.equal(next.mesh.services, basis.mesh.services);
    assert.equal(
      next.mesh.endpoints.get("web.default.svc.cluster.local") ===
        basis.mesh.endpoints.get("web.default.svc.cluster.local"),
      !id.startsWith("web"),
    );
    basis = next;
  }
});

test("a service whose callers choose the endpoint needs a rebuild; a workload that serves nothing changes nothing", () => {
  const { input } = fixture({ workloads }, headless);
  const basis = basisOf(input);
  const api = input.workloads.find((w) => w.id === "api-v1.default")!;
  assert.equal(withHealth(basis, [{ ...api, isHealthy: false }]), undefined);
  const stranger = workload({ service: "", name: "stranger" });
  assert.deepEqual(withHealth(basis, [stranger])!.mesh, basis.mesh);
});
