import type { Diagnostics } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { EndpointAddressSpec, SliceEndpointSpec, SlicePortSpec } from "../config/endpoint-specs.ts";
import type { ResourceOf } from "../config/resource.ts";
import { selectsWorkloads } from "./host.ts";
import type { ResourcesByKind } from "./sorting.ts";
import type { WrittenEndpoint } from "./written-endpoint.ts";

/** The label by which a slice says whose endpoints it has. */
const serviceLabel = "kubernetes.io/service-name";
/** With it, Kubernetes makes no slices of `Endpoints`: what it has is not called. */
const skipLabel = "endpointslice.kubernetes.io/skip-mirror";

type Written = ResourceOf<"EndpointSlice"> | ResourceOf<"Endpoints">;

const written = new KeptFor<Written, readonly Part[]>();

/** Some endpoints of a service, with the ports that all of them have. */
interface Part {
  readonly resource: Written;
  readonly endpoints: readonly (SliceEndpointSpec & { readonly isReady: boolean })[];
  readonly ports: readonly SlicePortSpec[];
  readonly portsPath: string;
}

/**
 * Endpoints of Services that are written down, for Services without a selector:
 * what a selector chooses registers itself, and proves who it is.
 */
export class EndpointSlices {
  readonly #byService: ReadonlyMap<string, readonly Part[]>;
  readonly #all: readonly Written[];
  readonly #services: readonly ResourceOf<"Service">[];

  constructor({
    EndpointSlice,
    Endpoints,
    Service,
  }: Pick<ResourcesByKind, "EndpointSlice" | "Endpoints" | "Service">) {
    this.#all = [...EndpointSlice, ...Endpoints];
    const parts = this.#all.flatMap((resource) => written.get(resource, [], () => partsOf(resource)));
    this.#byService = Map.groupBy(parts, ({ resource }) => serviceKey(resource));
    this.#services = Service;
  }

  /** Names those that are for no Service there is. */
  reportUnknown(diagnostics: Diagnostics): void {
    if (this.#all.length === 0) return;
    const known = new Set(this.#services.map(({ namespace, name }) => `${namespace}/${name}`));
    for (const resource of new Set(this.#byService.values().flatMap(resourcesOf))) {
      reportUnknown(resource, known, diagnostics);
    }
  }

  /** All that the endpoints of a Service are made from beside it. */
  from({ namespace, name }: ResourceOf<"Service">): readonly Written[] {
    return resourcesOf(this.#byService.get(`${namespace}/${name}`) ?? []);
  }

  /** Those of a Service, each once: of several that have the same address the first counts. */
  of({ namespace, name, spec }: ResourceOf<"Service">, diagnostics: Diagnostics): WrittenEndpoint[] {
    const parts = this.#byService.get(`${namespace}/${name}`) ?? [];
    if (parts.length === 0) return [];
    if (spec.type === "ExternalName" || selectsWorkloads(spec.selector)) {
      const why =
        spec.type === "ExternalName"
          ? "is an external name"
          : "has a selector: who it selects registers itself";
      for (const resource of resourcesOf(parts)) {
        unused(resource, `Service ${namespace}/${name} ${why}`, diagnostics);
      }
      return [];
    }
    const found = new Map<string, WrittenEndpoint>();
    const numbers = new Map(
      (spec.ports ?? [])
        .filter(({ protocol = "TCP" }) => protocol === "TCP")
        .map((port) => [port.name ?? "", port.port]),
    );
    for (const part of parts) {
      const ports = portsOf(part, numbers, diagnostics);
      for (const { addresses, hostname, isReady, conditions = {} } of part.endpoints) {
        const { serving, terminating } = conditions;
        const isEnding = !isReady && (serving ?? isReady) && terminating === true;
        if (!isReady && !isEnding) continue;
        // Of several addresses of one endpoint any will do.
        const address = addresses[0]!;
        const known = found.get(address);
        const merged = new Map([
          ...ports,
          ...(known?.endpoint.ports ?? []).map((p) => [p.servicePort, p] as const),
        ]);
        const own = known?.endpoint.hostname ?? hostname;
        found.set(address, {
          endpoint: {
            address,
            workload: "",
            labels: {},
            weight: 0,
            ports: [...merged.values()].sort((a, b) => a.servicePort - b.servicePort),
            ...(own ? { hostname: own } : {}),
          },
          identity: undefined,
          ...(isEnding && (!known || known.isEnding) ? { isEnding: true as const } : {}),
        });
      }
    }
    return [...found.values()];
  }
}

/** By name, as Kubernetes has it: the number is the endpoints', whatever the Service's `targetPort` says. */
function portsOf(
  { resource, ports, portsPath }: Part,
  numbers: ReadonlyMap<string, number>,
  diagnostics: Diagnostics,
) {
  const found = new Map<number, WrittenEndpoint["endpoint"]["ports"][number]>();
  const unknown: number[] = [];
  ports.forEach(({ name = "", port, protocol = "TCP" }, i) => {
    if (protocol !== "TCP" || port === undefined || port === null) return;
    const servicePort = numbers.get(name);
    if (servicePort === undefined) unknown.push(i);
    else found.set(servicePort, { servicePort, port, isMutualTls: false });
  });
  const [first] = unknown;
  if (first !== undefined) {
    const called = ports[first]!.name ? `named "${ports[first]!.name}"` : "without a name";
    const more = unknown.length > 1 ? `, nor ${unknown.length - 1} others of these` : "";
    const message = `Service ${serviceKey(resource)} has no port ${called}${more}: what is behind is not called`;
    const names = [...numbers.keys()].map((one) => (one === "" ? "one without a name" : one)).join(", ");
    const at = resource.origins.at(`${portsPath}[${first}]`);
    diagnostics.warning("W2136", at, message, names === "" ? undefined : `its ports: ${names}`);
  }
  return found;
}

function reportUnknown(resource: Written, services: ReadonlySet<string>, diagnostics: Diagnostics): void {
  const key = serviceKey(resource);
  if (services.has(key)) return;
  if (resource.kind === "EndpointSlice" && resource.labels[serviceLabel] === undefined) {
    unused(resource, `it names no Service by the label ${serviceLabel}`, diagnostics);
  } else unused(resource, `there is no Service ${key}`, diagnostics);
}

function unused({ kind, origins }: Written, why: string, diagnostics: Diagnostics): void {
  diagnostics.info("W2135", origins.at("metadata.name"), `this ${kind} is not used: ${why}`);
}

function resourcesOf(parts: readonly Part[]): Written[] {
  return [...new Set(parts.map(({ resource }) => resource))];
}

/** `namespace/name` of the Service; with an empty name where none is said. */
function serviceKey({ kind, name, namespace, labels }: Written): string {
  return `${namespace}/${kind === "Endpoints" ? name : (labels[serviceLabel] ?? "")}`;
}

function partsOf(resource: Written): Part[] {
  return resource.kind === "EndpointSlice" ? [partOf(resource)] : partsIn(resource);
}

function partOf(resource: ResourceOf<"EndpointSlice">): Part {
  const { endpoints, ports } = resource.spec;
  return {
    resource,
    endpoints: (endpoints ?? []).map((endpoint) => ({
      ...endpoint,
      isReady: endpoint.conditions?.ready ?? true,
    })),
    ports: ports ?? [],
    portsPath: "ports",
  };
}

function partsIn(resource: ResourceOf<"Endpoints">): Part[] {
  if (resource.labels[skipLabel] === "true") return [];
  return (resource.spec.subsets ?? []).map(({ addresses, notReadyAddresses, ports }, i) => ({
    resource,
    endpoints: [
      ...(addresses ?? []).map((address) => asSliceEndpoint(address, true)),
      ...(notReadyAddresses ?? []).map((address) => asSliceEndpoint(address, false)),
    ],
    ports: ports ?? [],
    portsPath: `subsets[${i}].ports`,
  }));
}

function asSliceEndpoint({ ip, hostname }: EndpointAddressSpec, isReady: boolean) {
  return { addresses: [ip], isReady, ...(hostname ? { hostname } : {}) };
}
