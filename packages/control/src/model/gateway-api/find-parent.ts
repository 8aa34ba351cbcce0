import { KeptFor } from "@weft/base/kept-for";
import type { ParentRefSpec, PolicyTargetRefSpec } from "../../config/gateway-api-specs.ts";
import type { ResourceOf } from "../../config/resource.ts";
import { hostnameOf } from "../host.ts";
import type { Mesh } from "../mesh.ts";
import type { Service, ServicePort } from "../service.ts";
import type { Carries } from "./route-kinds.ts";

/** A service that a route is attached to, and the ports of it. */
export interface ServiceParent {
  readonly service: Service;
  readonly ports: readonly ServicePort[];
}

export interface ParentLookup extends Pick<Mesh, "services" | "options"> {
  readonly entries: readonly ResourceOf<"ServiceEntry">[];
}

/** Why a route cannot be attached, with a reason of the condition `Accepted`; undefined reason: no parent of this mesh. */
export interface NoParent {
  readonly reason:
    | "NoMatchingParent"
    | "NotAllowedByListeners"
    | "NoMatchingListenerHostname"
    | "UnsupportedValue"
    | undefined;
  readonly message: string;
  readonly hint?: string;
}

/**
 * The services a parent reference means: the Service, or the hosts of the
 * ServiceEntry. Only ports whose protocol the route can read are attached to.
 */
export function findParent(
  ref: ParentRefSpec,
  namespace: string,
  carries: Carries,
  lookup: ParentLookup,
): readonly ServiceParent[] | NoParent {
  const found = namedServices(ref, namespace, lookup);
  if ("message" in found) return found;
  const parents: ServiceParent[] = [];
  for (const service of found) {
    if (service.isHeadless) {
      const message = `${service.hostname} is headless: callers choose the endpoint themselves`;
      return { reason: "UnsupportedValue", message };
    }
    const named = service.ports.filter(
      ({ number, name }) =>
        (ref.port === undefined || ref.port === number) && (!ref.sectionName || ref.sectionName === name),
    );
    const ports = named.filter(({ protocol }) => carries.protocols(protocol));
    if (ports.length > 0) parents.push({ service, ports });
    else if (named.length === 0) return noPort(ref, service);
    else if (found.length === 1) return noProtocol(named, service, carries.what);
  }
  return parents;
}

/** The services that a policy is for. */
export function findTarget(
  { group, kind, name }: PolicyTargetRefSpec,
  namespace: string,
  lookup: ParentLookup,
): readonly Service[] | NoParent {
  return namedServices({ group, kind, name }, namespace, lookup);
}

type Entries = ParentLookup["entries"];

const byName = new KeptFor<Entries, ReadonlyMap<string, Entries[number]>>();
const byHostname = new KeptFor<Mesh["services"], ReadonlyMap<string, readonly Service[]>>();

function nameOf({ namespace, name }: Entries[number]): string {
  return `${namespace}/${name}`;
}

function namedServices(
  ref: ParentRefSpec,
  namespace: string,
  { services, options, entries }: ParentLookup,
): readonly Service[] | NoParent {
  const { group = "gateway.networking.k8s.io", kind = "Gateway", name } = ref;
  const of = ref.namespace ?? namespace;
  if (group === "" && kind === "Service") {
    const hostname = hostnameOf(name, of, options);
    const service = services.get(hostname);
    return service ? [service] : { reason: "NoMatchingParent", message: `service ${hostname} is not known` };
  }
  if (group === "networking.istio.io" && kind === "ServiceEntry") {
    const entry = byName
      .get(entries, [], () => new Map(entries.map((e) => [nameOf(e), e])))
      .get(`${of}/${name}`);
    const byHost = byHostname.get(services, [], () => Map.groupBy(services.values(), (s) => s.hostname));
    const hosts = new Set(entry?.spec.hosts.map((host) => host.toLowerCase()));
    const found = [...hosts]
      .sort()
      .flatMap((host) => (byHost.get(host) ?? []).filter(({ namespace }) => namespace === of));
    if (found.length > 0) return found;
    return { reason: "NoMatchingParent", message: `ServiceEntry ${of}/${name} is not known` };
  }
  const message = `${kind} ${of}/${name} (${group || "core"}) is no parent that Weft serves: the route does nothing there`;
  const hint = kind === "Service" ? 'a Service is of the core group: write group: ""' : undefined;
  return { reason: undefined, message, hint };
}

function noPort({ port, sectionName }: ParentRefSpec, { hostname, ports }: Service): NoParent {
  const wanted = [port === undefined ? "" : ` ${port}`, sectionName ? ` "${sectionName}"` : ""].join("");
  const known = ports.map(({ number, name }) => `${number} (${name})`).join(", ") || "none";
  return {
    reason: "NoMatchingParent",
    message: `${hostname} has no port${wanted}`,
    hint: `its ports: ${known}`,
  };
}

function noProtocol(named: readonly ServicePort[], { hostname }: Service, what: string): NoParent {
  const shown = named.map(({ number, protocol }) => `${number} carries ${protocol}`).join(", ");
  return {
    reason: "NoMatchingParent",
    message: `no port of ${hostname} that is meant carries ${what}: ${shown}`,
    hint: "name the port by its protocol, as http or grpc-api, or set appProtocol",
  };
}
