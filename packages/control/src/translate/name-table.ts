import { create } from "@bufbuild/protobuf";
import { type NameTable, NameTableSchema } from "@weft/xds/gen/istio/networking/nds/v1/nds_pb";
import { addressesOf } from "../model/endpoint.ts";
import type { Mesh } from "../model/mesh.ts";
import { sortedUnique } from "../model/sorting.ts";
import { isCalledAlike } from "./host-claims.ts";

/**
 * What the mesh's names resolve to, by full name; the agent adds the shorter
 * spellings that are within its workload's reach. A name without an address of
 * its own is left to the outer DNS, except that a headless service is its endpoints,
 * each of which has its own name below that of the service.
 */
export function nameTable(mesh: Pick<Mesh, "services" | "endpoints" | "options">): NameTable {
  const table: MessageTable = {};
  for (const service of mesh.services.values()) {
    const { hostname, name, namespace, isHeadless } = service;
    const ips = isHeadless
      ? sortedUnique((mesh.endpoints.get(hostname) ?? []).flatMap(addressesOf))
      : [...service.addresses];
    if (ips.length === 0 && !isHeadless) continue;
    const isOfMesh = hostname === `${name}.${namespace}.svc.${mesh.options.domainSuffix}`;
    table[hostname] = isOfMesh
      ? { ips, registry: "Kubernetes", shortname: name, namespace }
      : { ips, registry: "External", shortname: "", namespace };
    if (!isHeadless) continue;
    for (const endpoint of mesh.endpoints.get(hostname) ?? []) {
      const { hostname: own } = endpoint;
      if (own === undefined) continue;
      const shortname = `${own}.${name}`;
      const full = `${own}.${hostname}`;
      const entry = table[full] ?? { ips: [], registry: "Kubernetes", shortname, namespace };
      table[full] = entry;
      for (const address of addressesOf(endpoint)) if (!entry.ips.includes(address)) entry.ips.push(address);
    }
  }
  return create(NameTableSchema, { table });
}

/** Audiences with services of their own. */
const maxKept = 8;

let latest: readonly Mesh["services"][] = [];
const named = new WeakMap<Mesh["services"], object>();

/** The very same object for services with the same names and addresses, whatever else of them has changed. */
export function namesOfAll(services: Mesh["services"]): object {
  const known = named.get(services);
  if (known) return known;
  const alike = latest.find((other) => areNamedAlike(services, other));
  const names = alike ? named.get(alike)! : {};
  named.set(services, names);
  latest = [services, ...latest.filter((other) => other !== alike)].slice(0, maxKept);
  return names;
}

function areNamedAlike(a: Mesh["services"], b: Mesh["services"]): boolean {
  if (a.size !== b.size) return false;
  for (const [host, service] of a) {
    const other = b.get(host);
    if (other === service) continue;
    if (!other || !isCalledAlike(service, other)) return false;
  }
  return true;
}

type MessageTable = Record<string, { ips: string[]; registry: string; shortname: string; namespace: string }>;
