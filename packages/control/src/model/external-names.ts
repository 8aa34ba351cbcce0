import type { Diagnostics } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { ResourceOf } from "../config/resource.ts";
import type { ServiceSpec } from "../config/service-specs.ts";
import { hostnameOf } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { declaredProtocol } from "./protocol.ts";
import { provenanceOf } from "./provenance.ts";
import type { Service } from "./service.ts";
import type { ServiceDraft } from "./service-draft.ts";
import { nearnessTo } from "./visibility.ts";
import { nameAsEndpoint, ownNameOf, type WrittenEndpoint } from "./written-endpoint.ts";

/** The name that an ExternalName Service stands for, without the dot of the root; undefined for other Services. */
export function externalNameOf(spec: Pick<ServiceSpec, "type" | "externalName">): string | undefined {
  return spec.type === "ExternalName" ? spec.externalName?.toLowerCase().replace(/\.$/, "") : undefined;
}

/** An ExternalName Service by itself: found by DNS, which `externalNames` says the name for. */
export function fromExternalName(
  called: Pick<Service, "hostname" | "addresses" | "visibleIn">,
  resource: ResourceOf<"Service">,
  diagnostics: Diagnostics,
): ServiceDraft {
  const { spec, origins, name, namespace } = resource;
  const tcp = (spec.ports ?? []).flatMap((port, i) => {
    if ((port.protocol ?? "TCP") !== "TCP") return [];
    const protocol = declaredProtocol(port);
    if (protocol === undefined) {
      const message = `port ${port.port} of ${called.hostname} names no protocol: it is carried as TCP`;
      const hint = 'name it "http" or "http-…", or set appProtocol, to route and measure requests';
      diagnostics.info("IST0118", origins.at(`spec.ports[${i}]`), message, hint);
    }
    const { port: number, name = `${protocol ?? "tcp"}-${port.port}` } = port;
    return [{ number, name, protocol: protocol ?? ("tcp" as const) }];
  });
  const ports = tcp.sort((a, b) => a.number - b.number);
  return {
    service: {
      ...called,
      name,
      namespace,
      isExternal: true,
      resolution: "dns",
      isHeadless: false,
      ports,
      source: provenanceOf(resource),
    },
    backends: [],
    written: [],
    entry: undefined,
  };
}

function byName(name: string, { service }: ServiceDraft): WrittenEndpoint {
  return nameAsEndpoint(name, new Map(service.ports.map(({ number }) => [number, number])));
}

const aliases = new KeptFor<ServiceDraft, ServiceDraft>();
const outer = new KeptFor<ServiceDraft, ServiceDraft>();

/**
 * The ExternalName Services with where they lead. One whose name is that of a
 * service of the mesh is a further name of it, with its ports, endpoints and
 * identities, and with the routes and rules of the name that is called. Any
 * other leads where DNS says that its name is.
 */
export function externalNames(
  drafts: ReadonlyMap<string, ServiceDraft>,
  resources: readonly ResourceOf<"Service">[],
  options: Pick<MeshOptions, "domainSuffix">,
  diagnostics: Diagnostics,
): Map<string, ServiceDraft> {
  const names = new Map<string, string>();
  for (const { name, namespace, spec } of resources) {
    const external = externalNameOf(spec);
    if (external !== undefined) names.set(hostnameOf(name, namespace, options), external);
  }
  const found = new Map<string, ServiceDraft>();
  for (const { name, namespace, origins } of resources) {
    const hostname = hostnameOf(name, namespace, options);
    if (!names.has(hostname)) continue;
    const own = drafts.get(hostname)!;
    const last = lastName(hostname, names);
    const at = origins.at("spec.externalName");
    if (last === undefined) {
      const message = `the external names from ${hostname} on lead back to one of them: calls are answered with 503`;
      diagnostics.error("W2131", at, message, "let one of them name where the service is");
      continue;
    }
    const target = drafts.get(last);
    const isOfMesh =
      target && nearnessTo(namespace, target.service) !== undefined && !isWhereverCalled(target);
    if (isOfMesh) {
      found.set(
        hostname,
        aliases.get(own, [target], () => asAlias(own, target)),
      );
    } else if (own.service.ports.length > 0) {
      found.set(
        hostname,
        outer.get(own, [last], () => ({ ...own, written: [byName(last, own)] })),
      );
    } else {
      const message = `${hostname} has no ports: nothing can be called by that name`;
      diagnostics.warning("W2132", at, message, "list in spec.ports those that are called, as http or tcp");
    }
  }
  return found;
}

/** Where a chain of external names ends; undefined where it does not. */
function lastName(hostname: string, names: ReadonlyMap<string, string>): string | undefined {
  const seen = new Set<string>();
  let name = hostname;
  for (let next = names.get(name); next !== undefined; next = names.get(name)) {
    if (seen.has(name)) return undefined;
    seen.add(name);
    name = next;
  }
  return name;
}

/** Of a ServiceEntry without endpoints or DNS, whose callers say by the address where they go: a name is none. */
function isWhereverCalled({ service }: ServiceDraft): boolean {
  return service.resolution === "passthrough" && !service.isHeadless;
}

function asAlias({ service }: ServiceDraft, target: ServiceDraft): ServiceDraft {
  const { hostname, name, namespace, visibleIn, source } = service;
  const { visibleIn: _, ...shared } = target.service;
  const { entry, backends, written } = target;
  const isByName =
    entry && target.service.resolution.startsWith("dns") && backends.length + written.length === 0;
  return {
    service: {
      ...shared,
      ...{ hostname, name, namespace, source },
      ...(visibleIn ? { visibleIn } : {}),
      addresses: target.service.isHeadless ? [] : service.addresses,
      isAlias: true,
    },
    backends,
    written: isByName ? [ownNameOf(target.service.hostname, entry)] : written,
    entry: undefined,
  };
}
