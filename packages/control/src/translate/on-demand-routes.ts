import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { type OnDemandHosts, OnDemandHostsSchema } from "@weft/xds/gen/weft/route/v1/on_demand_hosts_pb";
import { encodeHostNames, type NamedHost, onDemandHostsKey } from "@weft/xds/host-names";
import { adsSource, pack } from "./messages.ts";
import type { HostKey, RouteAssembly } from "./route-assembly.ts";

/**
 * A route configuration for clients that ask for its virtual hosts by name: which
 * there are, and those with wildcards, which no name would lead to.
 *
 * @param from what the names are made from, by which they are kept
 */
export function routesWithoutHosts(all: RouteAssembly, port: number, from: object): RouteAssembly {
  const named = all.memory.keys.filter(isNamed).map(({ says: [, , domains] }) => ({
    name: domains[0]!,
    domains: domains.filter((domain) => !domain.endsWith(`:${port}`)),
  }));
  const names = namesOf(named, port, from);
  const { $typeName: _, $unknown: __, ...fields } = all.head;
  const head = create(RouteConfigurationSchema, {
    ...fields,
    vhds: { configSource: adsSource() },
    metadata: { typedFilterMetadata: { [onDemandHostsKey]: pack(OnDemandHostsSchema, names) } },
  });
  return { ...only(all, (key) => !isNamed(key), names), head };
}

/** What those ask for. */
export function hostsByName(all: RouteAssembly): RouteAssembly {
  return only(all, isNamed);
}

/** The name of the resource that a virtual host is, `<route configuration>/<host>`. */
export function hostResourceName({ says: [port, , domains] }: HostKey): string {
  return `${port}/${domains[0]}`;
}

/** The rest of the world has no domains of its own. */
function isNamed({ says: [, , domains] }: HostKey): boolean {
  return domains.length > 0 && domains.every((domain) => !domain.includes("*"));
}

function only(all: RouteAssembly, isWanted: (key: HostKey) => boolean, names?: object): RouteAssembly {
  const { head, memory, build } = all;
  const places = [...memory.keys.keys()].filter((at) => isWanted(memory.keys[at]!));
  return {
    head,
    memory: { ...memory, keys: places.map((at) => memory.keys[at]!), whole: memory, names },
    build: (at) => build(places[at]!),
  };
}

/** Namespaces and ports. */
const maxKept = 64;

const kept = new WeakMap<object, Map<string, OnDemandHosts>>();

/** Made once for names that are the same: sorting those of thousands takes a while, and a changed route changes none. */
function namesOf(hosts: readonly NamedHost[], port: number, from: object): OnDemandHosts {
  const hash = createHash("sha1").update(`${port}\n`);
  for (const { name, domains } of hosts) hash.update(`${name} ${domains.join()}\n`);
  const key = hash.digest("base64");
  const made = kept.get(from) ?? new Map<string, OnDemandHosts>();
  kept.set(from, made);
  let names = made.get(key);
  if (!names) {
    if (made.size >= maxKept) made.clear();
    names = encodeHostNames(port, hosts);
    made.set(key, names);
  }
  return names;
}
