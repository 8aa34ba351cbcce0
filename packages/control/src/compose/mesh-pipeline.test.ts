import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { buildMesh } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import { WorkloadRegistry } from "../registry/workload-registry.ts";
import { workload } from "../translate/mesh-fixture.ts";
import { ConfigSet, readEntries } from "./config-set.ts";
import { MeshPipeline } from "./mesh-pipeline.ts";
import { VirtualAddresses } from "./virtual-addresses.ts";

const settings = { trustDomain: parseTrustDomain("cluster.local") };

function route(timeoutS: number, subset?: string): string {
  const destination = subset ? `{ host: api, subset: ${subset} }` : "{ host: api }";
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec: { hosts: [api], http: [{ timeout: ${timeoutS}s, route: [{ destination: ${destination} }] }] }
`;
}

const subsets = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec: { host: api, subsets: [{ name: v1, labels: { version: v1 } }] }
`;

function open() {
  const registry = new WorkloadRegistry({ clock: new FakeClock() });
  const config = new ConfigSet();
  const addresses = new VirtualAddresses({ load: () => new Map(), add() {} });
  const keys = { current: new Map() };
  const pipeline = new MeshPipeline({ config, registry, addresses, keys, settings });
  const put = (text: string) => config.put(readEntries([{ name: "mesh.yaml", text }], "store").entries);
  /** What a build from nothing makes of all there is now. */
  const fromNothing = () => {
    const { resources } = config;
    const workloads = [...registry.workloads.values()];
    const vips = addresses.assign(hostnamesNeedingAddress(resources, workloads, settings));
    return buildMesh({ resources, workloads, vips, options: settings });
  };
  const join = (short: Parameters<typeof workload>[0], order: number) => {
    const lease = registry.register(workload(short, order));
    lease.setHealth(true);
    return lease;
  };
  return { registry, config, pipeline, put, join, fromNothing };
}

test("a changed route gives the mesh and the findings of a build from nothing, and shares all the rest", () => {
  const { pipeline, config, put, join, fromNothing } = open();
  join({ service: "web" }, 1);
  join({ service: "api", version: "v1" }, 2);
  pipeline.rebuild();
  for (const text of [route(1), route(2), route(2, "missing"), subsets, route(3, "v1"), route(3)]) {
    const { services, endpoints, workloads } = pipeline.current.mesh;
    const { entries } = readEntries([{ name: "mesh.yaml", text }], "store");
    const after = new Map(config.entries);
    for (const entry of entries) after.set(entry.key, entry);
    const said = pipeline.check([...after.values()].map(({ resource }) => resource));
    put(text);
    pipeline.rebuild();
    const expected = fromNothing();
    assert.deepEqual(pipeline.current.mesh, expected.mesh);
    assert.deepEqual(pipeline.current.diagnostics, expected.diagnostics);
    assert.deepEqual(said, expected.diagnostics, "a check says before what is said after");
    if (text === subsets) continue;
    assert.equal(pipeline.current.mesh.services, services);
    assert.equal(pipeline.current.mesh.endpoints, endpoints);
    assert.equal(pipeline.current.mesh.workloads, workloads);
  }
});

test("a changed route does not hide that a workload has come, gone, or become unwell", () => {
  const { pipeline, put, join, fromNothing } = open();
  join({ service: "web" }, 1);
  pipeline.rebuild();
  const api = join({ service: "api", version: "v1" }, 2);
  put(route(1));
  pipeline.rebuild();
  assert.deepEqual(pipeline.current.mesh, fromNothing().mesh);
  api.setHealth(false);
  put(route(2));
  pipeline.rebuild();
  assert.deepEqual(pipeline.current.mesh, fromNothing().mesh, "told of health by the rebuild alone");
  api.setHealth(true);
  assert.ok(pipeline.follow());
  put(route(3));
  pipeline.rebuild();
  assert.deepEqual(pipeline.current.mesh, fromNothing().mesh, "told of health before");
});
