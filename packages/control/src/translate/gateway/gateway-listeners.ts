import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { TrafficDirection } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type {
  Filter,
  FilterChainSchema,
} from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import { type Listener, ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import type { GatewayListener, GatewayServer, ServerTls } from "../../model/gateway.ts";
import { commonHost } from "../../model/host.ts";
import type { Mesh, MeshWorkload } from "../../model/mesh.ts";
import { type Destination, isCaller } from "../../model/routing.ts";
import { canServe } from "../../model/tls-secret.ts";
import { policyFor } from "../../model/traffic-policy.ts";
import { type AddressPair, addressPairs } from "../address-chains.ts";
import type { Caller } from "../caller.ts";
import type { ClientFeatures } from "../client-features.ts";
import { gatewayHttp } from "../http-chain.ts";
import { anyAddress, proxyProtocol, tlsInspector } from "../listener-parts.ts";
import { duration, placesOf } from "../messages.ts";
import { blackHoleCluster, listenerName } from "../names.ts";
import { httpPolicyFilters, tcpPolicyFilters } from "../policy-filters.ts";
import { listenerMetadata } from "../policy-origins.ts";
import { authorizersIn } from "../route-authorizers.ts";
import { tcpProxy } from "../tcp-chain.ts";
import {
  type AddressedChain,
  filtersTo,
  serverNameChain,
  tcpTargets,
  withoutRepeatedPairs,
  withoutRepeats,
} from "../tcp-routes.ts";
import { plainRouteName, securedRouteName } from "./gateway-names.ts";
import { type GatewayMesh, routingsOn } from "./gateway-routes.ts";
import { gatewayTls } from "./gateway-tls.ts";
import { passedOnBy } from "./passthrough-services.ts";

type Chain = Exclude<MessageInitShape<typeof FilterChainSchema>, { $typeName: string }>;

/** What the listeners of a gateway are made from. */
export interface GatewayView {
  readonly mesh: GatewayMesh & Pick<Mesh, "secrets">;
  readonly workload: MeshWorkload;
  readonly caller: Caller;
  readonly features: ClientFeatures;
}

const outbound = { direction: "outbound" } as const;
const httpAlpn = ["h2", "http/1.1"];

/** The listeners of a gateway; one without a server that could answer is left out. */
export function gatewayListeners(view: GatewayView): Listener[] {
  return view.workload.gateway!.listeners.flatMap((listener) => {
    const chains = chainsOf(listener, view);
    if (chains.length === 0) return [];
    const addresses = addressesOf(listener, view);
    const [first] = listener.servers;
    return create(ListenerSchema, {
      name: listenerName(addresses[0] ?? "0.0.0.0", listener.listenPort),
      ...(addresses.length > 0
        ? placesOf(addresses, listener.listenPort)
        : anyAddress(listener.listenPort, view.features)),
      // A gateway calls for its clients: it reports as the side that calls.
      trafficDirection: TrafficDirection.OUTBOUND,
      ...listenerFilters(listener, view),
      filterChains: chains,
      metadata: listenerMetadata(view.workload, view.features, first!.source),
    });
  });
}

function listenerFilters({ kind }: GatewayListener, { mesh }: GatewayView) {
  const filters = [
    ...(mesh.options.defaults.gatewayTopology.hasProxyProtocol ? [proxyProtocol()] : []),
    ...(kind === "tls" ? [tlsInspector()] : []),
  ];
  return filters.length > 0 ? { listenerFilters: filters, listenerFiltersTimeout: duration(5_000) } : {};
}

/** None: every address. A gateway on the machine's loopback stays there. */
function addressesOf({ bind }: GatewayListener, { workload }: GatewayView): readonly string[] {
  if (bind) return [bind];
  const isLoopback = (address: string) => address.startsWith("127.") || address === "::1";
  const [first = ""] = workload.addresses;
  return isLoopback(first) ? workload.addresses.filter(isLoopback) : [];
}

function chainsOf(listener: GatewayListener, view: GatewayView): Chain[] {
  switch (listener.kind) {
    case "http":
      return [{ filters: [http(plainRouteName(listener), listener.servers, view)] }];
    case "tcp":
      return listener.servers.flatMap((server) => {
        const chains = addressedChains(server, listener, view);
        return chains.map(({ pair: { fields }, filters }) =>
          Object.keys(fields).length > 0 ? { filterChainMatch: fields, filters } : { filters },
        );
      });
    case "tls":
      return withoutRepeatedNames(listener.servers.flatMap((server) => tlsChains(server, listener, view)));
  }
}

/** Of a server that ends TLS one chain, of one that passes it on one for each route. */
function tlsChains(server: GatewayServer, listener: GatewayListener, view: GatewayView): Chain[] {
  const { tls } = server;
  if (server.passesMembers) return memberChains(server, view);
  if (!tls) return passthroughChains(server, listener, view);
  const { mesh, workload, features } = view;
  const chain = (filters: Filter[], more: Chain = {}, pair?: AddressPair): Chain => ({
    name: server.hosts.map(({ host }) => host).join(","),
    filterChainMatch: { ...pair?.fields, transportProtocol: "tls", serverNames: serverNames(server) },
    filters,
    ...more,
  });
  // Without its Secret a server answers nobody: another one's certificate must not stand in for it.
  if (!canServe(server, workload.namespace, mesh.secrets)) {
    return [chain(tcpProxy([{ name: blackHoleCluster, weight: 1 }], outbound, mesh.options, features))];
  }
  const isHttp = server.protocol === "https";
  const transportSocket = gatewayTls(tls, isHttp ? httpAlpn : [], mesh.options);
  if (isHttp) return [chain([http(securedRouteName(listener, server), [server], view)], { transportSocket })];
  return addressedChains(server, listener, view).map(({ pair, filters }) =>
    chain(filters, { transportSocket }, pair),
  );
}

/** None where the server takes every name: such a chain matches what no other does. */
function serverNames({ hosts }: GatewayServer): string[] {
  return hosts.some(({ host }) => host === "*") ? [] : hosts.map(({ host }) => host);
}

/** As members connect: nobody else says so. */
const memberAlpn = "istio";

/** One for each service: what a member and it say to each other is neither seen nor changed. */
function memberChains(server: GatewayServer, { mesh, workload, features }: GatewayView): Chain[] {
  const policy = tcpPolicyFilters(workload, mesh.options);
  return passedOnBy(server, mesh).map(({ name, service, port, subset }) => ({
    name,
    filterChainMatch: {
      serverNames: [name],
      transportProtocol: "tls",
      applicationProtocols: [memberAlpn],
    },
    filters: [
      ...policy,
      ...tcpProxy(
        [{ name, weight: 1 }],
        outbound,
        mesh.options,
        features,
        policyFor(port.number, service.policy, subset?.policy),
      ),
    ],
  }));
}

function passthroughChains(server: GatewayServer, listener: GatewayListener, view: GatewayView): Chain[] {
  const { mesh, caller } = view;
  return routingsOn(server, mesh, caller).flatMap(({ routing }) =>
    routing.tls.flatMap((route) =>
      route.matches
        .filter((match) => (match.port ?? listener.port) === listener.port && isCaller(match.source, caller))
        .flatMap(({ sniHosts, addresses }) => {
          const names = new Set(
            sniHosts.flatMap((name) => server.hosts.flatMap(({ host }) => commonHost(host, name) ?? [])),
          );
          if (names.size === 0) return [];
          const filters = opaque(route.destinations, listener, view);
          return addressPairs(addresses).map((pair) => {
            const chain = serverNameChain([...names], filters, pair);
            return names.has("*")
              ? { ...chain, filterChainMatch: { ...chain.filterChainMatch, serverNames: [] } }
              : chain;
          });
        }),
    ),
  );
}

/** The first chain of a name has it, and the first of all names those that are left. */
function withoutRepeatedNames(chains: readonly Chain[]): Chain[] {
  const isNamed = (chain: Chain) => (chain.filterChainMatch?.serverNames?.length ?? 0) > 0;
  const named = chains.filter(isNamed) as Parameters<typeof withoutRepeats>[0];
  const taken = new Set<string>();
  const open = chains.filter((chain) => {
    const { prefixRanges, sourcePrefixRanges } = chain.filterChainMatch ?? {};
    const key = JSON.stringify([prefixRanges, sourcePrefixRanges]);
    return !isNamed(chain) && !taken.has(key) && taken.add(key);
  });
  return [...withoutRepeats(named), ...open];
}

/** By the TCP routes for this port, down to the first that is for all addresses. */
function addressedChains(
  server: GatewayServer,
  listener: GatewayListener,
  view: GatewayView,
): AddressedChain[] {
  const chains: AddressedChain[] = [];
  for (const { routing } of routingsOn(server, view.mesh, view.caller)) {
    for (const { addresses, destinations } of tcpTargets(routing.tcp, listener.port, view.caller)) {
      const filters = opaque(destinations, listener, view, server.tls);
      chains.push(...addressPairs(addresses).map((pair) => ({ pair, filters })));
      if (!addresses) return withoutRepeatedPairs(chains);
    }
  }
  return withoutRepeatedPairs(chains);
}

function opaque(
  destinations: readonly Destination[],
  { port }: GatewayListener,
  { mesh, workload, features }: GatewayView,
  tls?: ServerTls,
): Filter[] {
  const used = destinations.filter(({ weight }) => weight > 0);
  const policies = tcpPolicyFilters(workload, mesh.options, provesIdentities(tls));
  return [...policies, ...filtersTo(used, port, mesh, features)];
}

function http(
  routeName: string,
  servers: readonly GatewayServer[],
  { workload, features, mesh, caller }: GatewayView,
): Filter {
  const routes = servers.flatMap((server) =>
    routingsOn(server, mesh, caller).flatMap(({ routing }) => routing.http),
  );
  const isProved = servers.every(({ tls }) => provesIdentities(tls));
  const policies = httpPolicyFilters(workload, mesh.options, isProved);
  return gatewayHttp(routeName, routeName, policies, authorizersIn(routes), features, mesh.options);
}

/** What a certificate says that nobody verified must not be believed. */
function provesIdentities(tls: ServerTls | undefined): boolean {
  return !tls?.acceptsUntrusted;
}
