import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Filter,
  FilterChainSchema,
} from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import { type Destination, isCaller, routesTo } from "../model/routing.ts";
import type { Service } from "../model/service.ts";
import type { Caller } from "./caller.ts";
import type { ClientFeatures } from "./client-features.ts";
import { clusterOf, policyOf, type RoutedMesh } from "./outbound-routes.ts";
import { tcpProxy } from "./tcp-chain.ts";

const outbound = { direction: "outbound" } as const;

type Chain = Exclude<MessageInitShape<typeof FilterChainSchema>, { $typeName: string }>;

/** A chain of a listener with the names that lead to it. */
export interface NamedChain extends Chain {
  readonly filterChainMatch: { readonly serverNames: string[]; readonly transportProtocol: "tls" };
}

/** Bytes of a service, by the first TCP route that is for this caller and port. */
export function tcpFilters(
  service: Service,
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
  features: ClientFeatures,
): Filter[] {
  return filtersTo(tcpDestinations(service, port, mesh, caller), port, mesh, features);
}

/**
 * The TLS connections of a service's port by server name, as its VirtualService
 * says; none where it does not. A name that no route has then finds nothing, as
 * in Istio.
 */
export function tlsChains(
  service: Service,
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
  features: ClientFeatures,
): NamedChain[] {
  const routes = routesTo(service.hostname, port, mesh, caller)?.tls ?? [];
  const chains = routes.flatMap((route) => {
    const used = route.destinations.filter(({ weight }) => weight > 0);
    return route.matches
      .filter((match) => (match.port ?? port) === port && isCaller(match.source, caller))
      .map(({ sniHosts }) => serverNameChain(sniHosts, filtersTo(used, port, mesh, features)));
  });
  return withoutRepeats(chains);
}

export function serverNameChain(names: readonly string[], filters: Filter[]): NamedChain {
  return {
    name: names.join(","),
    filterChainMatch: { serverNames: [...names], transportProtocol: "tls" },
    filters,
  };
}

/** The first chain of a name has it: a listener with two would be refused. */
export function withoutRepeats(chains: readonly NamedChain[]): NamedChain[] {
  const taken = new Set<string>();
  return chains.flatMap((chain) => {
    const names = chain.filterChainMatch.serverNames.filter((name) => !taken.has(name));
    for (const name of names) taken.add(name);
    if (names.length === 0) return [];
    return { ...chain, filterChainMatch: { ...chain.filterChainMatch, serverNames: names } };
  });
}

/** Bytes to these, by the policy of where they go: of the first destination's service where there are several. */
export function filtersTo(
  targets: readonly Destination[],
  port: number,
  mesh: RoutedMesh,
  features: ClientFeatures,
): Filter[] {
  const clusters = targets.map((target) => ({ name: clusterOf(target, port, mesh), weight: target.weight }));
  const [first] = targets;
  const policy = policyOf(targets.length === 1 ? first! : { ...first!, subset: "" }, port, mesh);
  return tcpProxy(clusters, outbound, mesh.options, features, policy);
}

/** The first TCP route that is for this caller and port; a service without one is its own destination. */
function tcpDestinations(
  service: Service,
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
): readonly Destination[] {
  for (const route of routesTo(service.hostname, port, mesh, caller)?.tcp ?? []) {
    const isMatch = route.matches.some(
      (match) => (match.port ?? port) === port && isCaller(match.source, caller),
    );
    if (route.matches.length > 0 && !isMatch) continue;
    const used = route.destinations.filter(({ weight }) => weight > 0);
    if (used.length > 0) return used;
  }
  return [{ host: service.hostname, subset: "", port, weight: 1 }];
}
