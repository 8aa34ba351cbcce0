import type { Diagnostics } from "@weft/base/diagnostics";
import { exportToAnnotation } from "../config/check-export-to.ts";
import type { ConfigResource, ResourceOf } from "../config/resource.ts";
import type { ServicePortSpec } from "../config/service-specs.ts";
import { canonicalIp, parseNameList } from "../config/values.ts";
import type { Workload } from "../registry/workload.ts";
import { EndpointSlices } from "./endpoint-slices.ts";
import { externalNames, fromExternalName } from "./external-names.ts";
import { BackendTlsPolicies } from "./gateway-api/backend-tls.ts";
import { GivenAddresses } from "./given-addresses.ts";
import { hasLabels, hostnameOf, selectsWorkloads } from "./host.ts";
import { nearnessOf } from "./locality-policy.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MtlsResolution } from "./mtls-resolution.ts";
import { type MeshSettings, meshOptions } from "./options.ts";
import type { Protocol } from "./protocol.ts";
import { declaredProtocol, namedProtocol } from "./protocol.ts";
import { provenanceOf } from "./provenance.ts";
import type { ServicePort } from "./service.ts";
import { ownAddresses, serviceAddresses } from "./service-addresses.ts";
import type { ServiceDraft } from "./service-draft.ts";
import { type ResourcesByKind, resourcesOf, sortedUnique } from "./sorting.ts";
import { contend, visibilityOf } from "./visibility.ts";
import { WorkloadEntries } from "./workload-entries.ts";
import { writtenEndpoint } from "./written-endpoint.ts";

interface Input {
  readonly resources: ResourcesByKind;
  readonly workloads: readonly Workload[];
  readonly vips: ReadonlyMap<string, string>;
  readonly mtls: MtlsResolution;
  readonly options: MeshOptions;
}

/** Istio's, which says what a Service says by a field. */
const distributionAnnotation = "networking.istio.io/traffic-distribution";

/** Every service: from `Service` YAML, from registrations, merged by hostname, and from ServiceEntry. */
export function buildServices(input: Input, diagnostics: Diagnostics): Map<string, ServiceDraft> {
  const drafts = new Map<string, ServiceDraft>();
  const entries = new WorkloadEntries(input.resources.WorkloadEntry, input, diagnostics);
  const slices = new EndpointSlices(input.resources, diagnostics);
  const given = new GivenAddresses(diagnostics);
  for (const resource of input.resources.Service) {
    const hostname = hostnameOf(resource.name, resource.namespace, input.options);
    const spec = given.claim(hostname, resource);
    const own = spec === resource.spec ? resource : { ...resource, spec };
    drafts.set(hostname, fromYaml(own, input, { entries, slices }, diagnostics));
  }
  for (const [hostname, group] of registrations(input.workloads, input.options)) {
    const yaml = drafts.get(hostname);
    if (yaml?.service.isExternal) {
      const message = `${hostname} is an external name: ${group.length} workloads that register for it get no calls by it`;
      diagnostics.warning(
        "W2133",
        undefined,
        message,
        "give the Service a selector in place of externalName",
      );
      continue;
    }
    drafts.set(hostname, merge(yaml, fromRegistration(hostname, group, input, diagnostics)));
  }
  const owners = new Map<string, ServiceDraft[]>();
  for (const entry of input.resources.ServiceEntry) {
    const { namespace, spec } = entry;
    const visibleIn = visibilityOf(spec.exportTo, namespace);
    spec.hosts.forEach((host, i) => {
      const hostname = host.toLowerCase();
      const others = owners.get(hostname) ?? [...(drafts.has(hostname) ? [drafts.get(hostname)!] : [])];
      const other = others.find(({ service }) => contend(service, { namespace, visibleIn }));
      if (other) {
        const by = other.service.source?.origin ?? "registration";
        const message = `host ${hostname} is already a service (${by}): this ServiceEntry adds nothing to it`;
        diagnostics.error("W2108", entry.origins.at(`spec.hosts[${i}]`), message, "name it in one place");
        return;
      }
      const draft = fromEntry(hostname, entry, input, entries);
      owners.set(hostname, [...others, draft]);
      drafts.set(others.length === 0 ? hostname : furtherKey(hostname, entry), draft);
    });
  }
  entries.reportUnused();
  const named = externalNames(drafts, input.resources.Service, input.options, diagnostics);
  for (const [hostname, draft] of named) drafts.set(hostname, draft);
  return withPolicies(drafts, new BackendTlsPolicies(input.resources));
}

function withPolicies(
  drafts: ReadonlyMap<string, ServiceDraft>,
  policies: BackendTlsPolicies,
): Map<string, ServiceDraft> {
  return new Map(
    [...drafts].map(([key, draft]) => {
      const backendTls = policies.of(draft);
      return [key, backendTls.length > 0 ? { ...draft, service: { ...draft.service, backendTls } } : draft];
    }),
  );
}

/** The key of a service that only some see, where its hostname is that of another. */
export function furtherKey(hostname: string, entry: Pick<ConfigResource, "namespace" | "name">): string {
  return `${hostname} ${entry.namespace}/${entry.name}`;
}

/** Hosts that callers reach by a virtual address: services that are not headless, and external names. */
export function hostnamesNeedingAddress(
  resources: readonly ConfigResource[],
  workloads: readonly Workload[],
  settings: MeshSettings,
): string[] {
  const options = meshOptions(settings);
  const byKind = resourcesOf(resources);
  const headless = new Set<string>();
  const names = new Set(registrations(workloads, options).keys());
  for (const resource of byKind.Service) {
    const hostname = hostnameOf(resource.name, resource.namespace, options);
    if (resource.spec.clusterIP === "None") headless.add(hostname);
    else names.add(hostname);
  }
  for (const { spec } of byKind.ServiceEntry) {
    if (spec.addresses?.length || (spec.resolution ?? "NONE") === "NONE") continue;
    for (const host of spec.hosts) if (!host.startsWith("*")) names.add(host.toLowerCase());
  }
  return [...names].filter((name) => !headless.has(name)).sort();
}

function registrations(workloads: readonly Workload[], options: MeshOptions): Map<string, Workload[]> {
  const groups = new Map<string, Workload[]>();
  for (const workload of workloads) {
    if (workload.service === "") continue;
    const hostname = hostnameOf(workload.service, workload.namespace, options);
    const group = groups.get(hostname);
    if (group) group.push(workload);
    else groups.set(hostname, [workload]);
  }
  return groups;
}

function fromRegistration(
  hostname: string,
  group: readonly Workload[],
  input: Input,
  diagnostics: Diagnostics,
): ServiceDraft {
  const ports = new Map<number, ServicePort>();
  for (const workload of group) {
    for (const { port, protocol, name } of workload.ports) {
      const first = ports.get(port);
      if (!first) ports.set(port, { number: port, name: name || `${protocol}-${port}`, protocol });
      else if (first.protocol !== protocol) {
        const message = `${workload.id} serves port ${port} of ${hostname} as ${protocol}, others as ${first.protocol}`;
        diagnostics.warning("W2109", undefined, message, "give all instances of a service the same protocol");
      }
    }
  }
  const [first] = group;
  return {
    service: {
      hostname,
      name: first!.service,
      namespace: first!.namespace,
      isExternal: false,
      resolution: "endpoints",
      isHeadless: false,
      addresses: ownAddresses(input.vips.get(hostname)),
      ports: byNumber(ports.values()),
      source: undefined,
    },
    backends: group.map((workload) => ({
      workload,
      ports: new Map(workload.ports.map(({ port }) => [port, port])),
    })),
    written: [],
    entry: undefined,
  };
}

function fromYaml(
  resource: ResourceOf<"Service">,
  input: Input,
  { entries, slices }: { readonly entries: WorkloadEntries; readonly slices: EndpointSlices },
  diagnostics: Diagnostics,
): ServiceDraft {
  const { spec, name, namespace } = resource;
  const nearness = nearnessOf(spec.trafficDistribution ?? resource.annotations[distributionAnnotation]);
  const hostname = hostnameOf(name, namespace, input.options);
  if (spec.type === "ExternalName") {
    const addresses = ownAddresses(input.vips.get(hostname));
    const visible = visibility(parseNameList(resource.annotations[exportToAnnotation]), namespace);
    return fromExternalName({ hostname, addresses, ...visible }, resource, diagnostics);
  }
  const isHeadless = spec.clusterIP === "None";
  const isSelective = selectsWorkloads(spec.selector);
  // Without a selector it is served by those that register for it by its name.
  const isServedBy = ({ labels, service }: Workload) =>
    isSelective ? hasLabels(labels, spec.selector) : service === name;
  const selected = input.workloads.filter((w) => w.namespace === namespace && isServedBy(w));
  const written = entries.select(namespace, spec.selector, "ip");
  const sliced = slices.of(resource);
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
    if (protocol === undefined && selected.length + written.length + sliced.length > 0) {
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
      ...visibility(parseNameList(resource.annotations[exportToAnnotation]), namespace),
      isExternal: false,
      resolution: isHeadless ? "passthrough" : "endpoints",
      isHeadless,
      addresses: isHeadless ? [] : serviceAddresses(spec, input.vips.get(hostname)),
      ports: byNumber(ports),
      ...(spec.publishNotReadyAddresses ? { takesUnready: true as const } : {}),
      ...(spec.sessionAffinity === "ClientIP" ? { hasAffinity: true as const } : {}),
      ...(nearness ? { nearness } : {}),
      source: provenanceOf(resource),
    },
    backends: selected.map((workload) => ({ workload, ports: targets.get(workload.id)! })),
    written: [
      ...sliced,
      ...written.map((entry) =>
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

/** YAML says what a port is; a registration adds ports and backends that YAML does not name. */
function merge(yaml: ServiceDraft | undefined, registered: ServiceDraft): ServiceDraft {
  if (!yaml) return registered;
  const ports = new Map([...registered.service.ports, ...yaml.service.ports].map((p) => [p.number, p]));
  const backends = new Map(yaml.backends.map((b) => [b.workload.id, b]));
  for (const { workload, ports: own } of registered.backends) {
    const known = backends.get(workload.id);
    backends.set(workload.id, { workload, ports: new Map([...own, ...(known?.ports ?? [])]) });
  }
  return {
    service: { ...yaml.service, ports: byNumber(ports.values()) },
    written: yaml.written,
    backends: [...backends.values()].sort((a, b) => (a.workload.id < b.workload.id ? -1 : 1)),
    entry: undefined,
  };
}

const resolutions = {
  NONE: "passthrough",
  STATIC: "endpoints",
  DNS: "dns",
  DNS_ROUND_ROBIN: "dns-single",
} as const;

function fromEntry(
  hostname: string,
  entry: ResourceOf<"ServiceEntry">,
  input: Input,
  entries: WorkloadEntries,
): ServiceDraft {
  const { spec, namespace } = entry;
  const nearness = nearnessOf(entry.annotations[distributionAnnotation]);
  const selector = spec.workloadSelector?.labels;
  const selected = selectsWorkloads(selector)
    ? input.workloads.filter((w) => w.namespace === namespace && hasLabels(w.labels, selector))
    : [];
  const ports = spec.ports ?? [];
  const targets = (own: Readonly<Record<string, number>>) =>
    new Map(ports.map((port) => [port.number, own[port.name] ?? port.targetPort ?? port.number]));
  const byName = spec.resolution?.startsWith("DNS") ? "ip or name" : "ip";
  return {
    service: {
      hostname,
      name: hostname,
      namespace,
      ...visibility(spec.exportTo, namespace),
      isExternal: spec.location !== "MESH_INTERNAL",
      resolution: resolutions[spec.resolution ?? "NONE"],
      isHeadless: false,
      addresses: spec.addresses?.length
        ? sortedUnique(spec.addresses.map(canonicalIp))
        : ownAddresses(input.vips.get(hostname)),
      ...(nearness ? { nearness } : {}),
      ports: byNumber(
        ports.map((p) => ({ number: p.number, name: p.name, protocol: namedProtocol(p.protocol) })),
      ),
      source: provenanceOf(entry),
    },
    backends: selected.map((workload) => ({ workload, ports: targets(workload.namedPorts ?? {}) })),
    written: [
      ...entries.select(namespace, selector, byName).map((found) => found.endpoint(targets)),
      ...(spec.endpoints ?? []).map((place) =>
        writtenEndpoint({ place, namespace, labels: place.labels ?? {}, workload: "" }, targets, input),
      ),
    ],
    entry,
  };
}

function visibility(exportTo: readonly string[] | undefined, namespace: string) {
  const visibleIn = visibilityOf(exportTo, namespace);
  return visibleIn ? { visibleIn } : {};
}

function byNumber(ports: Iterable<ServicePort>): ServicePort[] {
  return [...ports].sort((a, b) => a.number - b.number);
}
