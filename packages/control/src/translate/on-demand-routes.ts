import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { isSameList } from "@weft/base/same-list";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { OnDemandHostsSchema } from "@weft/xds/gen/weft/route/v1/on_demand_hosts_pb";
import { encodeHostNames, onDemandHostsKey } from "@weft/xds/host-names";
import { adsSource, pack } from "./messages.ts";
import type { HostKey, RouteAssembly, RouteMemory } from "./route-assembly.ts";

/**
 * A route configuration for clients that ask for its virtual hosts by name: which
 * there are, and those with wildcards, which no name would lead to.
 *
 * @param last of the same, whose names are taken where they are the same
 */
export function routesWithoutHosts(all: RouteAssembly, port: number, last?: RouteMemory): RouteAssembly {
  const names = keptNames(all, last) ?? namesIn(all, port);
  const { $typeName: _, $unknown: __, ...fields } = all.head;
  const head = create(RouteConfigurationSchema, {
    ...fields,
    vhds: { configSource: adsSource() },
    metadata: { typedFilterMetadata: { [onDemandHostsKey]: names } },
  });
  return { ...only(all, (key) => !isNamed(key), names), head };
}

/** Most changes change no name. */
function keptNames({ memory: { keys } }: RouteAssembly, last: RouteMemory | undefined): Any | undefined {
  const before = last?.whole?.keys;
  if (!before || before.length !== keys.length) return undefined;
  return keys.every(({ says }, i) => isSameList(says[2], before[i]!.says[2])) ? last.names : undefined;
}

/** Packed once for all who have it. */
function namesIn({ memory: { keys } }: RouteAssembly, port: number): Any {
  const named = keys.filter(isNamed).map(({ says: [, , domains] }) => ({
    name: domains[0]!,
    domains: domains.filter((domain) => !domain.endsWith(`:${port}`)),
  }));
  return pack(OnDemandHostsSchema, encodeHostNames(port, named));
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

function only(all: RouteAssembly, isWanted: (key: HostKey) => boolean, names?: Any): RouteAssembly {
  const { head, memory, build } = all;
  const places = [...memory.keys.keys()].filter((at) => isWanted(memory.keys[at]!));
  return {
    head,
    memory: { ...memory, keys: places.map((at) => memory.keys[at]!), whole: memory, names },
    build: (at) => build(places[at]!),
  };
}
