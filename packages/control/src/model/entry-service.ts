import type { Diagnostics } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { ResourceOf } from "../config/resource.ts";
import { canonicalIp } from "../config/values.ts";
import type { Workload } from "../registry/workload.ts";
import { isSingleAddress, parseSubnet } from "./address-match.ts";
import { selectsWorkloads } from "./host.ts";
import { distributionAnnotation, nearnessOf } from "./locality-policy.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MtlsResolution } from "./mtls-resolution.ts";
import { namedProtocol } from "./protocol.ts";
import { provenanceOf } from "./provenance.ts";
import type { Service } from "./service.ts";
import { ownAddresses } from "./service-addresses.ts";
import { portsInOrder, type ServiceDraft } from "./service-draft.ts";
import type { ServingWorkloads } from "./serving-workloads.ts";
import { sortedUnique } from "./sorting.ts";
import { visibilityIn } from "./visibility.ts";
import type { SelectedEntry, WorkloadEntries } from "./workload-entries.ts";
import { type WrittenEndpoint, writtenEndpoint } from "./written-endpoint.ts";

type ServiceEntry = ResourceOf<"ServiceEntry">;

interface Input {
  readonly workloads: ServingWorkloads;
  readonly vips: ReadonlyMap<string, string>;
  readonly mtls: MtlsResolution;
  readonly options: MeshOptions;
}

const made = new KeptFor<ServiceEntry, readonly ServiceDraft[]>();

/** The services of a ServiceEntry, of these of its hosts. */
export function entryServices(
  entry: ServiceEntry,
  hostnames: readonly string[],
  input: Input,
  entries: WorkloadEntries,
  diagnostics: Diagnostics,
): readonly ServiceDraft[] {
  if (hostnames.length === 0) return [];
  const { spec, namespace } = entry;
  const { workloads, vips, mtls, options } = input;
  const selector = spec.workloadSelector?.labels;
  const byName = spec.resolution?.startsWith("DNS") ? "ip or name" : "ip";
  const selected = selectsWorkloads(selector) ? workloads.select(namespace, selector) : [];
  const { found, said, used } = entries.select(namespace, selector, byName);
  diagnostics.add(said);
  entries.use(used);
  const from = [
    options,
    ...hostnames.flatMap((hostname) => [hostname, vips.get(hostname)]),
    ...(spec.endpoints ?? []).map(({ labels = {} }) => mtls.of({ namespace, labels })),
    ...selected,
    ...found.flatMap((one) => one.from),
  ];
  return made.get(entry, from, () => {
    const all = [...writtenAt(entry, found, input)];
    return hostnames.map((hostname) => fromEntry(hostname, entry, vips.get(hostname), selected, all));
  });
}

type Ports = ReadonlyMap<number, number>;

function targetsOf({ spec: { ports = [] } }: ServiceEntry, own: Readonly<Record<string, number>>): Ports {
  return new Map(ports.map((port) => [port.number, own[port.name] ?? port.targetPort ?? port.number]));
}

function* writtenAt(
  entry: ServiceEntry,
  selected: readonly SelectedEntry[],
  input: Input,
): Generator<WrittenEndpoint> {
  const { spec, namespace } = entry;
  const targets = (own: Readonly<Record<string, number>>) => targetsOf(entry, own);
  for (const one of selected) yield one.endpoint(targets);
  for (const place of spec.endpoints ?? []) {
    yield writtenEndpoint({ place, namespace, labels: place.labels ?? {}, workload: "" }, targets, input);
  }
}

const resolutions = {
  NONE: "passthrough",
  STATIC: "endpoints",
  DNS: "dns",
  DNS_ROUND_ROBIN: "dns-single",
} as const;

function fromEntry(
  hostname: string,
  entry: ServiceEntry,
  vip: string | undefined,
  selected: readonly Workload[],
  written: readonly WrittenEndpoint[],
): ServiceDraft {
  const { spec, namespace } = entry;
  const nearness = nearnessOf(entry.annotations[distributionAnnotation]);
  const ports = (spec.ports ?? []).map((p) => ({
    number: p.number,
    name: p.name,
    protocol: namedProtocol(p.protocol),
  }));
  return {
    service: {
      hostname,
      name: hostname,
      namespace,
      ...visibilityIn(spec.exportTo, namespace),
      isExternal: spec.location !== "MESH_INTERNAL",
      resolution: resolutions[spec.resolution ?? "NONE"],
      isHeadless: false,
      ...(spec.addresses?.length ? calledAt(spec.addresses) : { addresses: ownAddresses(vip) }),
      ...(nearness ? { nearness } : {}),
      ports: portsInOrder(ports),
      source: provenanceOf(entry),
    },
    backends: selected.map((workload) => ({ workload, ports: targetsOf(entry, workload.namedPorts ?? {}) })),
    written,
    entry,
  };
}

/** Single addresses, and ranges of them. */
function calledAt(written: readonly string[]): Pick<Service, "addresses" | "ranges"> {
  const subnets = written.map((text) => ({ text, subnet: parseSubnet(text) }));
  const single = subnets.filter(({ subnet }) => isSingleAddress(subnet));
  const ranges = subnets.filter(({ subnet }) => !isSingleAddress(subnet)).map(({ subnet }) => subnet);
  return {
    addresses: sortedUnique(single.map(({ text }) => canonicalIp(text.split("/")[0]!))),
    ...(ranges.length > 0 ? { ranges } : {}),
  };
}
