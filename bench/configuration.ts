/**
 * `npm run bench:configuration -- [DOCUMENTS]`: what reading configuration
 * costs, by default of 10,000 documents: four for each service, all of whose
 * routes are on one port. First all of it, from text to what one sidecar is
 * given; then one route after the other that changes in it, from the text that is
 * applied to the encoded resources, with all checks of an apply.
 */
import { systemClock } from "@weft/base/clock";
import { planApply } from "@weft/control/compose/apply-config";
import { ConfigSet, readEntries } from "@weft/control/compose/config-set";
import { MeshPipeline } from "@weft/control/compose/mesh-pipeline";
import { VirtualAddresses } from "@weft/control/compose/virtual-addresses";
import { parseConfig } from "@weft/control/config/parse-config";
import type { ConfigFile } from "@weft/control/config/parse-documents";
import type { ConfigResource } from "@weft/control/config/resource";
import { buildGround, type MeshInput, routeMesh } from "@weft/control/model/build-mesh";
import { hostnamesNeedingAddress } from "@weft/control/model/build-services";
import type { Workload } from "@weft/control/registry/workload";
import { WorkloadRegistry } from "@weft/control/registry/workload-registry";
import { SnapshotBuilder } from "@weft/control/snapshot/snapshot-builder";
import { learningSidecarFeatures } from "@weft/control/translate/client-features";
import { parseTrustDomain } from "@weft/identity/spiffe-id";

const perService = 4;
const documents = Number(process.argv[2] ?? 10_000);
const settings = { trustDomain: parseTrustDomain("cluster.local") };
const client = { id: "client.default", features: learningSidecarFeatures };
const changes = 200;
const warmUp = 20;

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

function filesOf(services: number): readonly ConfigFile[] {
  return Array.from({ length: services }, (_, i) => ({ name: `${i}.yaml`, text: service(i) }));
}

function read(services: number): readonly ConfigResource[] {
  const { resources, diagnostics } = parseConfig(filesOf(services));
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

const registry = new WorkloadRegistry({ clock: systemClock });
registry.register(workload).setHealth(true);
const config = new ConfigSet();
const addresses = new VirtualAddresses({ load: () => new Map(), add() {} });
const pipeline = new MeshPipeline({ config, registry, addresses, keys: { current: new Map() }, settings });
config.put(readEntries(filesOf(services), "store").entries);
pipeline.rebuild();
const builder = new SnapshotBuilder();
const give = () => builder.build(pipeline.current.mesh, client);
give();
const costs = {
  checked: [] as number[],
  inForce: [] as number[],
  given: [] as number[],
  all: [] as number[],
};
for (let i = 0; i < changes + warmUp; i += 1) {
  const files = [{ name: "changed.yaml", text: route((i * 7) % services, i + 2) }];
  const t0 = performance.now();
  const plan = planApply({ files }, config, (resources) => pipeline.check(resources), 0);
  const t1 = performance.now();
  config.put(plan.entries);
  pipeline.rebuild();
  const t2 = performance.now();
  give();
  const t3 = performance.now();
  // The first ones compile what the others run.
  if (i < warmUp) continue;
  costs.checked.push(t1 - t0);
  costs.inForce.push(t2 - t1);
  costs.given.push(t3 - t2);
  costs.all.push(t3 - t0);
}
const quantile = (list: number[], share: number) =>
  list.sort((a, b) => a - b)[Math.ceil(list.length * share) - 1]!;
report(
  "one changed route among them: read, and the mesh checked with it",
  quantile(costs.checked, 0.5),
  "ms",
);
report("  in force", quantile(costs.inForce, 0.5), "ms");
report("  what a sidecar is given, encoded", quantile(costs.given, 0.5), "ms");
report("  together, median", quantile(costs.all, 0.5), "ms");
report("  together, 99 of 100 within", quantile(costs.all, 0.99), "ms");
registry.close();
