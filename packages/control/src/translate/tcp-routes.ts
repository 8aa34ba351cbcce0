import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Filter,
  FilterChainSchema,
} from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import type { AddressMatch } from "../model/address-match.ts";
import { type Destination, isCaller, routesTo, type TcpRoute } from "../model/routing.ts";
import type { Service } from "../model/service.ts";
import { type AddressPair, addressPairs } from "./address-chains.ts";
import type { Caller } from "./caller.ts";
import type { ClientFeatures } from "./client-features.ts";
import { clusterOf, policyOf } from "./outbound-routes.ts";
import type { RoutedMesh } from "./routed-mesh.ts";
import { tcpProxy } from "./tcp-chain.ts";

const outbound = { direction: "outbound" } as const;

type Chain = Exclude<MessageInitShape<typeof FilterChainSchema>, { $typeName: string }>;

/** A chain of a listener with the names that lead to it. */
export interface NamedChain extends Chain {
  readonly filterChainMatch: AddressPair["fields"] & {
    readonly serverNames: string[];
    readonly transportProtocol: "tls";
  };
}

/** Connections between some addresses. */
export interface AddressedChain {
  readonly pair: AddressPair;
  readonly filters: Filter[];
}

/** Bytes of a service: of the addresses that its TCP routes name, and all the rest. */
export interface TcpChains {
  readonly addressed: readonly AddressedChain[];
  readonly rest: Filter[];
}

/** By the TCP routes that are for this caller and port; a service without one for all addresses is its own destination. */
export function tcpChains(
  service: Service,
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
  features: ClientFeatures,
): TcpChains {
  const routes = routesTo(service.hostname, port, mesh, caller)?.tcp ?? [];
  const addressed: AddressedChain[] = [];
  for (const { addresses, destinations } of tcpTargets(routes, port, caller)) {
    const used = destinations.filter(({ weight }) => weight > 0);
    if (used.length === 0) continue;
    const filters = filtersTo(used, port, mesh, features);
    if (!addresses) return { addressed: withoutRepeatedPairs(addressed), rest: filters };
    addressed.push(...addressPairs(addresses).map((pair) => ({ pair, filters })));
  }
  const itself = [{ host: service.hostname, subset: "", port, weight: 1 }];
  return { addressed: withoutRepeatedPairs(addressed), rest: filtersTo(itself, port, mesh, features) };
}

/** As fields of a listener that has no other chains. */
export function chainFields({ addressed, rest }: TcpChains) {
  if (addressed.length === 0) return { filterChains: [{ filters: rest }] };
  return { filterChains: addressed.map(chainOf), defaultFilterChain: { filters: rest } };
}

export function chainOf({ pair, filters }: AddressedChain): Chain {
  return { filterChainMatch: pair.fields, filters };
}

/** The first chain of a pair has it. */
export function withoutRepeatedPairs(chains: readonly AddressedChain[]): AddressedChain[] {
  const taken = new Set<string>();
  return chains.filter(({ pair: { key } }) => !taken.has(key) && taken.add(key));
}

interface TcpTarget extends Pick<TcpRoute, "destinations"> {
  /** Undefined: any, and so the last. */
  readonly addresses: AddressMatch | undefined;
}

/** The matches of TCP routes that are for this caller and port, in their order. */
export function* tcpTargets(routes: readonly TcpRoute[], port: number, caller: Caller): Generator<TcpTarget> {
  for (const { matches, destinations } of routes) {
    if (matches.length === 0) yield { addresses: undefined, destinations };
    for (const match of matches) {
      if ((match.port ?? port) !== port || !isCaller(match.source, caller)) continue;
      yield { addresses: match.addresses, destinations };
    }
  }
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
      .flatMap(({ sniHosts, addresses }) => {
        const filters = filtersTo(used, port, mesh, features);
        return addressPairs(addresses).map((pair) => serverNameChain(sniHosts, filters, pair));
      });
  });
  return withoutRepeats(chains);
}

export function serverNameChain(
  names: readonly string[],
  filters: Filter[],
  { fields }: Pick<AddressPair, "fields"> = { fields: {} },
): NamedChain {
  return {
    name: names.join(","),
    filterChainMatch: { ...fields, serverNames: [...names], transportProtocol: "tls" },
    filters,
  };
}

/** The first chain of a name and its addresses has it: a listener with two would be refused. */
export function withoutRepeats(chains: readonly NamedChain[]): NamedChain[] {
  const taken = new Set<string>();
  return chains.flatMap((chain) => {
    const { serverNames, prefixRanges, sourcePrefixRanges } = chain.filterChainMatch;
    const keyOf = (name: string) => JSON.stringify([name, prefixRanges, sourcePrefixRanges]);
    const names = serverNames.filter((name) => !taken.has(keyOf(name)));
    for (const name of names) taken.add(keyOf(name));
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
