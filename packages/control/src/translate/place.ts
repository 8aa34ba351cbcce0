import { type Locality, withTopology } from "../model/locality.ts";
import { localityInForce } from "../model/locality-in-force.ts";
import type { LocalityPolicy } from "../model/locality-policy.ts";
import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import type { Service } from "../model/service.ts";
import { policyFor } from "../model/traffic-policy.ts";

/** Where a caller stands, as far as any service that it sees asks. */
export interface Place {
  readonly locality: Locality | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export const nowhere: Place = { locality: undefined, labels: {} };

/** What a service asks about the places of its callers. */
interface Asked {
  readonly locality: boolean;
  readonly labels: readonly string[];
}

/** The same for workloads that stand alike to all that is asked. */
export function placeOf(workload: MeshWorkload, mesh: Pick<Mesh, "services" | "options">): Place {
  const asked = askedBy(mesh);
  if (!asked.locality && asked.labels.length === 0) return nowhere;
  const own = withTopology(workload.labels, workload.locality);
  const labels: Record<string, string> = {};
  for (const name of asked.labels) if (own[name] !== undefined) labels[name] = own[name];
  return { locality: asked.locality ? workload.locality : undefined, labels };
}

/** Equal for callers that stand alike. */
export function placeKey({ locality, labels }: Place): string {
  const names = Object.keys(labels);
  if (!locality && names.length === 0) return "";
  return JSON.stringify([locality, ...names.map((name) => [name, labels[name]])]);
}

/** As `placeKey`, of what one service asks: "" where all callers are the same to it. */
export function placeKeyFor(service: Service, usual: LocalityPolicy, { locality, labels }: Place): string {
  const asked = askedByService(service, usual);
  if (!asked.locality && asked.labels.length === 0) return "";
  const own = asked.labels.flatMap((name) => (labels[name] === undefined ? [] : [[name, labels[name]]]));
  return placeKey({ locality: asked.locality ? locality : undefined, labels: Object.fromEntries(own) });
}

const askedOfMesh = new WeakMap<
  Mesh["services"],
  { readonly usual: LocalityPolicy; readonly asked: Asked }
>();

function askedBy({ services, options }: Pick<Mesh, "services" | "options">): Asked {
  const usual = options.defaults.locality;
  const known = askedOfMesh.get(services);
  if (known?.usual === usual) return known.asked;
  let locality = false;
  const labels = new Set<string>();
  for (const service of services.values()) {
    const own = askedByService(service, usual);
    locality ||= own.locality;
    for (const name of own.labels) labels.add(name);
  }
  const asked = { locality, labels: [...labels].sort() };
  askedOfMesh.set(services, { usual, asked });
  return asked;
}

const askedOfService = new WeakMap<Service, { readonly usual: LocalityPolicy; readonly asked: Asked }>();
const nothing: Asked = { locality: false, labels: [] };

function askedByService(service: Service, usual: LocalityPolicy): Asked {
  // Without a policy nobody watches, and nobody has said more.
  if (!service.policy && service.subsets.length === 0 && !service.nearness && usual.kind !== "distribute") {
    return nothing;
  }
  const known = askedOfService.get(service);
  if (known?.usual === usual) return known.asked;
  let locality = false;
  const labels = new Set<string>();
  for (const port of service.ports) {
    for (const subset of [undefined, ...service.subsets]) {
      const policy = localityInForce(service, policyFor(port.number, service.policy, subset?.policy), usual);
      if (!policy) continue;
      const own = policy.kind === "failover" ? policy.labels : [];
      for (const { name, value } of own) if (value === undefined) labels.add(name);
      locality ||= own.length === 0;
      if (policy.kind === "failover") locality ||= policy.regions.length > 0 || policy.isByRegion === true;
    }
  }
  const asked = { locality, labels: [...labels].sort() };
  askedOfService.set(service, { usual, asked });
  return asked;
}
