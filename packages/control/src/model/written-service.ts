import { type Diagnostics, type Told, told } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import { exportToAnnotation } from "../config/check-export-to.ts";
import type { ResourceOf } from "../config/resource.ts";
import type { ServicePortSpec } from "../config/service-specs.ts";
import { parseNameList } from "../config/values.ts";
import type { Workload } from "../registry/workload.ts";
import type { EndpointSlices } from "./endpoint-slices.ts";
import { fromExternalName } from "./external-names.ts";
import type { GivenAddresses } from "./given-addresses.ts";
import { hostnameOf, selectsWorkloads } from "./host.ts";
import { distributionAnnotation, nearnessOf } from "./locality-policy.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MtlsResolution } from "./mtls-resolution.ts";
import { declaredProtocol, type Protocol } from "./protocol.ts";
import { provenanceOf } from "./provenance.ts";
import type { ServicePort } from "./service.ts";
import { ownAddresses, serviceAddresses } from "./service-addresses.ts";
import { portsInOrder, type ServiceDraft } from "./service-draft.ts";
import type { ServingWorkloads } from "./serving-workloads.ts";
import { visibilityIn } from "./visibility.ts";
import {
  type EntriesUsed,
  nothingSelected,
  type SelectedEntries,
  type WorkloadEntries,
} from "./workload-entries.ts";

interface Input {
  readonly workloads: ServingWorkloads;
  readonly vips: ReadonlyMap<string, string>;
  readonly mtls: MtlsResolution;
  readonly options: MeshOptions;
}

/** What serves a `Service`, and its virtual address. */
interface Serving {
  readonly hostname: string;
  readonly vip: string | undefined;
  readonly selected: readonly Workload[];
  readonly written: SelectedEntries;
  readonly slices: EndpointSlices;
}

/** What is written of where Services are, and of their addresses. */
interface Places {
  readonly entries: WorkloadEntries;
  readonly slices: EndpointSlices;
  readonly given: GivenAddresses;
}

/** A service, with what is to be said of what serves it and of itself, and the WorkloadEntries it has selected. */
interface Looked extends Told<ServiceDraft> {
  readonly used: EntriesUsed;
}

const looked = new KeptFor<ResourceOf<"Service">, Looked>();
const drafts = new KeptFor<ResourceOf<"Service">, Told<ServiceDraft>>();
const hostnames = new KeptFor<ResourceOf<"Service">, string>();

/** A service as its `Service` says, with the workloads that it selects or that register for it by its name. */
export function writtenService(
  resource: ResourceOf<"Service">,
  { workloads, vips, mtls, options }: Input,
  { entries, slices, given }: Places,
  diagnostics: Diagnostics,
): ServiceDraft {
  const { name, namespace } = resource;
  const hostname = hostnames.get(resource, [options], () => hostnameOf(name, namespace, options));
  const vip = vips.get(hostname);
  const spec = given.claim(hostname, resource, diagnostics);
  const sliced = slices.from(resource);
  const from = [workloads, entries.written, mtls, options, vip, spec === resource.spec, ...sliced];
  const found = looked.get(resource, from, () => {
    const own = spec === resource.spec ? resource : { ...resource, spec };
    const serving = { ...servingOf(own, hostname, workloads, entries), slices };
    const { selected, written } = serving;
    const entriesFrom = written.found.flatMap((one) => one.from);
    const { made, said } = drafts.get(
      resource,
      [hostname, vip, spec === resource.spec, sliced.length, ...sliced, ...selected, ...entriesFrom],
      () => told((diagnostics) => fromYaml(own, { ...serving, vip }, diagnostics)),
    );
    return { made, said: [...written.said, ...said], used: written.used };
  });
  entries.use(found.used);
  diagnostics.add(found.said);
  return found.made;
}

function servingOf(
  { spec, namespace }: ResourceOf<"Service">,
  hostname: string,
  workloads: ServingWorkloads,
  entries: WorkloadEntries,
): Omit<Serving, "vip" | "slices"> {
  if (spec.type === "ExternalName") return { hostname, selected: [], written: nothingSelected };
  return {
    hostname,
    selected: selectsWorkloads(spec.selector)
      ? workloads.select(namespace, spec.selector)
      : (workloads.byService.get(hostname) ?? []),
    written: entries.select(namespace, spec.selector, "ip"),
  };
}

function fromYaml(
  resource: ResourceOf<"Service">,
  { hostname, vip, selected, written, slices }: Serving,
  diagnostics: Diagnostics,
): ServiceDraft {
  const { spec, name, namespace } = resource;
  const nearness = nearnessOf(spec.trafficDistribution ?? resource.annotations[distributionAnnotation]);
  const visible = visibilityIn(parseNameList(resource.annotations[exportToAnnotation]), namespace);
  if (spec.type === "ExternalName") {
    const addresses = ownAddresses(vip);
    return fromExternalName({ hostname, addresses, ...visible }, resource, diagnostics);
  }
  const isHeadless = spec.clusterIP === "None";
  const sliced = slices.of(resource, diagnostics);
  const ports: ServicePort[] = [];
  const targets = new Map<string, Map<number, number>>(selected.map((w) => [w.id, new Map()]));
  spec.ports?.forEach((port, i) => {
    if ((port.protocol ?? "TCP") !== "TCP") return;
    let registered: Protocol | undefined;
    for (const workload of selected) {
      const target = targetPort(port, workload);
      if (target === undefined) continue;
      targets.get(workload.id)!.set(port.port, target);
      registered ??= workload.ports.find((p) => p.port === target)?.protocol;
    }
    const protocol = declaredProtocol(port) ?? registered;
    if (protocol === undefined && selected.length + written.found.length + sliced.length > 0) {
      const message = `port ${port.port} of ${hostname} names no protocol: it is carried as TCP`;
      const hint = 'name it "http" or "http-…", or set appProtocol, to route and measure requests';
      diagnostics.info("IST0118", resource.origins.at(`spec.ports[${i}]`), message, hint);
    }
    const fallback = `${protocol ?? "tcp"}-${port.port}`;
    ports.push({ number: port.port, name: port.name ?? fallback, protocol: protocol ?? "tcp" });
  });
  return {
    service: {
      hostname,
      name,
      namespace,
      ...visible,
      isExternal: false,
      resolution: isHeadless ? "passthrough" : "endpoints",
      isHeadless,
      addresses: isHeadless ? [] : serviceAddresses(spec, vip),
      ports: portsInOrder(ports),
      ...(spec.publishNotReadyAddresses ? { takesUnready: true as const } : {}),
      ...(spec.sessionAffinity === "ClientIP" ? { hasAffinity: true as const } : {}),
      ...(nearness ? { nearness } : {}),
      source: provenanceOf(resource),
    },
    backends: selected.map((workload) => ({ workload, ports: targets.get(workload.id)! })),
    written: [
      ...sliced,
      ...written.found.map((entry) =>
        entry.endpoint((own) => {
          const served = (spec.ports ?? []).filter((port) => (port.protocol ?? "TCP") === "TCP");
          return new Map(
            served.flatMap(({ port, name, targetPort: target = port }) => {
              const found = typeof target === "string" ? own[target] : (own[name ?? ""] ?? target);
              return found === undefined ? [] : [[port, found]];
            }),
          );
        }),
      ),
    ],
    entry: undefined,
  };
}

/** A named target is the workload's port of that name; a member of a group says which port of it a service's is. */
function targetPort(
  { name = "", port, targetPort: target = port }: ServicePortSpec,
  { namedPorts = {}, ports }: Workload,
): number | undefined {
  if (typeof target === "number") return namedPorts[name] ?? target;
  return namedPorts[target] ?? ports.find((own) => own.name === target)?.port;
}
