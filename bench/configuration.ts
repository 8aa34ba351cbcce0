/**
 * `npm run bench:configuration -- [DOCUMENTS] [CHANGES] [KIND…]`: what reading
 * configuration costs, by default of 10,000 documents: four or five for each
 * service, of twelve kinds, all of whose routes are on one port, with a workload
 * behind each service. First all of it, from text to what one sidecar is given;
 * then of each kind one document after the other that changes in it, from the
 * text that is applied to the encoded resources, with all checks of an apply.
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
import { WorkloadRegistry } from "@weft/control/registry/workload-registry";
import { SnapshotBuilder } from "@weft/control/snapshot/snapshot-builder";
import { learningSidecarFeatures } from "@weft/control/translate/client-features";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import {
  aboutWorkloads,
  documentOf,
  documentsOf,
  type Kind,
  kinds,
  kindsOf,
  workloadsOf,
} from "./configuration/documents.ts";

const [wanted = "10000", count = "100", ...named] = process.argv.slice(2);
const changes = Number(count);
/** The first ones compile what the others run. */
const warmUp = Math.ceil(changes / 5);
/** So many of a kind change, one after the other, again and again. */
const changing = 10;
const settings = { trustDomain: parseTrustDomain("cluster.local") };
const features = learningSidecarFeatures;

function servicesFor(documents: number): number {
  let services = 0;
  for (let sum = 0; sum < documents; services += 1) sum += kindsOf(services).length;
  return services;
}

function read(files: readonly ConfigFile[]): readonly ConfigResource[] {
  const { resources, diagnostics } = parseConfig(files);
  const wrong = diagnostics.find(({ severity }) => severity === "error");
  if (wrong) throw new Error(wrong.message);
  return resources;
}

function inputOf(resources: readonly ConfigResource[]): MeshInput {
  const names = hostnamesNeedingAddress(resources, workloads, settings);
  const vips = new Map(names.map((name, i) => [name, `240.240.${i >> 8}.${i & 255}`]));
  return { resources, workloads, vips, options: settings };
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

const services = servicesFor(Number(wanted));
const workloads = workloadsOf(services);
const files = Array.from({ length: services }, (_, i) => ({ name: `${i}.yaml`, text: documentsOf(i) }));
const startMs = performance.now();
const resources = timed(`documents read and checked, of ${services} services`, () => read(files));
const input = inputOf(resources);
const mesh = timed("built into a mesh", () => routeMesh(buildGround(input), resources).mesh);
timed("translated and encoded for a sidecar", () =>
  new SnapshotBuilder().build(mesh, { id: "client.default", features }),
);
report(`together, ${resources.length} documents`, performance.now() - startMs, "ms");
report("resident memory, at most", process.resourceUsage().maxRSS / 1024, "MB");

const registry = new WorkloadRegistry({ clock: systemClock });
for (const workload of workloads) registry.register(workload).setHealth(true);
const config = new ConfigSet();
const addresses = new VirtualAddresses({ load: () => new Map(), add() {} });
const pipeline = new MeshPipeline({ config, registry, addresses, keys: { current: new Map() }, settings });
config.put(readEntries(files, "store").entries);
pipeline.rebuild();
const builder = new SnapshotBuilder();

/** What the caller of all services is given, and the workload that a document of this kind is about. */
function give(kind: Kind, i: number): void {
  const { mesh } = pipeline.current;
  builder.build(mesh, { id: "client.default", features });
  const id = aboutWorkloads.get(kind)?.(i);
  if (id) builder.build(mesh, { id, features });
}

interface Cost {
  readonly checkedMs: number;
  readonly inForceMs: number;
  readonly givenMs: number;
  readonly allMs: number;
  readonly cpuMs: number;
}

function change(kind: Kind, i: number, version: number): Cost {
  const files = [{ name: "changed.yaml", text: documentOf(kind, i, version) }];
  const cpu = process.cpuUsage();
  const t0 = performance.now();
  const plan = planApply({ files }, config, (resources) => pipeline.check(resources), 0);
  const t1 = performance.now();
  config.put(plan.entries);
  pipeline.rebuild();
  const t2 = performance.now();
  give(kind, i);
  const t3 = performance.now();
  const { user, system } = process.cpuUsage(cpu);
  return {
    checkedMs: t1 - t0,
    inForceMs: t2 - t1,
    givenMs: t3 - t2,
    allMs: t3 - t0,
    cpuMs: (user + system) / 1000,
  };
}

function quantile(costs: readonly Cost[], of: keyof Cost, share: number): string {
  const list = costs.map((cost) => cost[of]).sort((a, b) => a - b);
  return list[Math.ceil(list.length * share) - 1]!.toFixed(1).padStart(9);
}

process.stdout.write(
  `\n${"one changed document, ms".padEnd(26)}  checked in force    given      p50      p99  CPU p50\n`,
);
for (const kind of kinds.filter((kind) => named.length === 0 || named.includes(kind))) {
  const all = Array.from({ length: services }, (_, i) => i).filter((i) => kindsOf(i).includes(kind));
  const some = all.filter((_, at) => at % Math.ceil(all.length / changing) === 0);
  for (const i of some) give(kind, i);
  const costs = Array.from({ length: changes + warmUp }, (_, n) =>
    change(kind, some[n % some.length]!, n + 1),
  ).slice(warmUp);
  const columns = (["checkedMs", "inForceMs", "givenMs", "allMs"] as const).map((of) =>
    quantile(costs, of, 0.5),
  );
  process.stdout.write(
    `${kind.padEnd(25)}${columns.join("")}${quantile(costs, "allMs", 0.99)}${quantile(costs, "cpuMs", 0.5)}\n`,
  );
}
registry.close();
