/**
 * `npm run bench:configuration -- [DOCUMENTS]`: what reading configuration
 * costs, by default of 10,000 documents: four for each service, all of whose
 * routes are on one port. First all of it, from text to what one sidecar is
 * given; then one route that changes in a mesh of 1,000 services, from its text
 * to the encoded resources.
 */
import { parseConfig } from "../packages/control/src/config/parse-config.ts";
import { type ConfigResource, resourceKey } from "../packages/control/src/config/resource.ts";
import { buildGround, type MeshInput, routeMesh } from "../packages/control/src/model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../packages/control/src/model/build-services.ts";
import type { Workload } from "../packages/control/src/registry/workload.ts";
import { SnapshotBuilder } from "../packages/control/src/snapshot/snapshot-builder.ts";
import { sidecarFeatures } from "../packages/control/src/translate/client-features.ts";

const perService = 4;
const documents = Number(process.argv[2] ?? 10_000);
const settings = { trustDomain: "cluster.local" };
const client = { id: "client.default", features: sidecarFeatures };
const changes = 30;

const workload: Workload = {
  id: client.id,
  name: "client",
  workloadName: "client",
  namespace: "default",
  serviceAccount: "client",
  service: "",
  labels: { app: "client" },
  addresses: ["10.0.0.1"],
  ports: [],
  interception: "REDIRECT",
  upstreams: [],
  isHealthy: true,
  hasSidecar: true,
};

const route = (i: number, timeoutS: number) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: service-${i} }
spec:
  hosts: [service-${i}]
  http:
    - match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: service-${i}, subset: v2 } }]
    - timeout: ${timeoutS}s
      route: [{ destination: { host: service-${i}, subset: v1 } }]
---
`;
const service = (i: number) => `apiVersion: v1
kind: Service
metadata: { name: service-${i} }
spec: { selector: { app: service-${i} }, ports: [{ name: http, port: 8080 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: service-${i} }
spec:
  host: service-${i}
  trafficPolicy: { outlierDetection: { consecutive5xxErrors: 5 } }
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: service-${i} }
spec:
  selector: { matchLabels: { app: service-${i} } }
  rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/client] } }] }]
---
${route(i, 1)}`;

function read(services: number): readonly ConfigResource[] {
  const files = Array.from({ length: services }, (_, i) => ({ name: `${i}.yaml`, text: service(i) }));
  const { resources, diagnostics } = parseConfig(files);
  const wrong = diagnostics.find(({ severity }) => severity === "error");
  if (wrong) throw new Error(wrong.message);
  return resources;
}

function inputOf(resources: readonly ConfigResource[]): MeshInput {
  const names = hostnamesNeedingAddress(resources, [workload], settings);
  const vips = new Map(names.map((name, i) => [name, `240.240.${i >> 8}.${i & 255}`]));
  return { resources, workloads: [workload], vips, options: settings };
}

function report(what: string, value: number, unit: string): void {
  process.stdout.write(`${what.padEnd(64)} ${value.toFixed(value < 100 ? 1 : 0).padStart(8)} ${unit}\n`);
}

function timed<T>(what: string, run: () => T): T {
  const startMs = performance.now();
  const result = run();
  report(what, performance.now() - startMs, "ms");
  return result;
}

const startMs = performance.now();
const services = Math.ceil(documents / perService);
const resources = timed(`${services * perService} documents: read and checked`, () => read(services));
const input = inputOf(resources);
const mesh = timed("built into a mesh", () => routeMesh(buildGround(input), resources).mesh);
timed("translated and encoded for a sidecar", () => new SnapshotBuilder().build(mesh, client));
report("together", performance.now() - startMs, "ms");
report("resident memory, at most", process.resourceUsage().maxRSS / 1024, "MB");

const few = read(1_000);
const ground = buildGround(inputOf(few));
const builder = new SnapshotBuilder();
builder.build(routeMesh(ground, few).mesh, client);
const at = new Map(few.map((resource, i) => [resourceKey(resource), i]));
const costs = { read: [] as number[], model: [] as number[], resources: [] as number[], all: [] as number[] };
for (let i = 0; i < changes + 5; i += 1) {
  const t0 = performance.now();
  const [changed] = parseConfig([{ name: "changed.yaml", text: route((i * 7) % 1_000, i + 2) }]).resources;
  const now = few.with(at.get(resourceKey(changed!))!, changed!);
  const t1 = performance.now();
  const next = routeMesh(ground, now).mesh;
  const t2 = performance.now();
  builder.build(next, client);
  const t3 = performance.now();
  // The first ones compile what the others run.
  if (i < 5) continue;
  costs.read.push(t1 - t0);
  costs.model.push(t2 - t1);
  costs.resources.push(t3 - t2);
  costs.all.push(t3 - t0);
}
const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1]!;
report("one changed route of 1,000 services: read and checked", median(costs.read), "ms");
report("  the mesh", median(costs.model), "ms");
report("  what a sidecar is given, encoded", median(costs.resources), "ms");
report("  together, median", median(costs.all), "ms");
