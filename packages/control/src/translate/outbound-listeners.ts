import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { TrafficDirection } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { type Listener, ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { addressesOf } from "../model/endpoint.ts";
import type { Mesh, MeshWorkload, Upstream } from "../model/mesh.ts";
import type { MeshOptions } from "../model/mesh-options.ts";
import { isHttp } from "../model/protocol.ts";
import type { EgressListener } from "../model/scope.ts";
import type { Service, ServicePort } from "../model/service.ts";
import { addressPairs, within } from "./address-chains.ts";
import type { Caller } from "./caller.ts";
import type { ClientFeatures } from "./client-features.ts";
import { outboundHttp } from "./http-chain.ts";
import { anyAddress, listenable, tlsInspector } from "./listener-parts.ts";
import { hostLiteral, istioMetadata, placesOf, socketAddress } from "./messages.ts";
import { blackHoleCluster, listenerName, outboundCapturePort } from "./names.ts";
import { httpPorts, unknownCluster } from "./outbound-routes.ts";
import { authorizersAt, authorizersTo } from "./route-authorizers.ts";
import type { RoutedMesh } from "./routed-mesh.ts";
import { tcpProxy } from "./tcp-chain.ts";
import {
  type AddressedChain,
  chainFields,
  chainOf,
  type NamedChain,
  serverNameChain,
  tcpChains,
  tlsChains,
  withoutRepeatedPairs,
  withoutRepeats,
} from "./tcp-routes.ts";

const outbound = { direction: "outbound" } as const;

/** Fields of a listener whose chains are told apart by server name. A client that says nothing in time has none. */
const serverNames = {
  listenerFilters: [tlsInspector()],
  listenerFiltersTimeout: { seconds: 5n },
  continueOnListenerFiltersTimeout: true,
};

/**
 * Where captured traffic of the application arrives. A connection is handed to
 * the listener of its destination; one that none is for leaves, or is refused.
 */
export function virtualOutbound(options: MeshOptions, features: ClientFeatures): Listener {
  return create(ListenerSchema, {
    name: "virtualOutbound",
    ...anyAddress(outboundCapturePort, features),
    useOriginalDst: true,
    trafficDirection: TrafficDirection.OUTBOUND,
    filterChains: [
      {
        name: "virtualOutbound-blackhole",
        filterChainMatch: { destinationPort: outboundCapturePort },
        filters: tcpProxy([{ name: blackHoleCluster, weight: 1 }], outbound, options, features),
      },
      {
        name: "virtualOutbound-catchall-tcp",
        filters: tcpProxy([{ name: unknownCluster({ options }), weight: 1 }], outbound, options, features),
      },
    ],
  });
}

/**
 * The listeners that captured connections are handed to: one per HTTP port, one
 * per address of a TCP service. What is called by ranges of addresses has chains
 * of its own in the listener of its port.
 */
export function outboundListeners(
  mesh: RoutedMesh,
  endpoints: Mesh["endpoints"],
  caller: Caller,
  features: ClientFeatures,
): Listener[] {
  const http = new Set(httpPorts(mesh));
  const addressless = new Map<number, Addressless>();
  const ranged = new Map<number, Addressless>();
  const listeners = new Map<string, Listener>();
  // A listener at an address of another is refused.
  const taken = new Set<string>();
  // The address of an instance means the service itself, whatever other names that has.
  const services = [...mesh.services.values()];
  for (const service of [
    ...services.filter((one) => !one.isAlias),
    ...services.filter((one) => one.isAlias),
  ]) {
    for (const port of service.ports) {
      if (isHttp(port.protocol)) continue;
      for (const addresses of calledAt(service, endpoints)) {
        const free = listenable(addresses, features).filter(
          (address) => !taken.has(listenerName(address, port.number)),
        );
        if (free.length === 0) continue;
        const listener = tcpListener(free, port, service, mesh, caller, features);
        listeners.set(listener.name, listener);
        for (const address of free) taken.add(listenerName(address, port.number));
      }
      if (service.ranges) {
        ranged.set(port.number, [...(ranged.get(port.number) ?? []), { service, port }]);
      } else if (service.addresses.length === 0 && !service.isHeadless) {
        const list = addressless.get(port.number) ?? [];
        addressless.set(port.number, [...list, { service, port }]);
      }
    }
  }
  for (const port of new Set([...http, ...addressless.keys(), ...ranged.keys()])) {
    const services = addressless.get(port) ?? [];
    const tcp = services.filter((s) => s.port.protocol !== "tls");
    // TCP says no host: one of several cannot be told.
    const lone = tcp.length === 1 ? tcp[0]!.service : undefined;
    const served = {
      port,
      hasHttp: http.has(port),
      byName: services.filter((s) => s.port.protocol === "tls"),
      lone,
      ranged: ranged.get(port) ?? [],
    };
    const listener = create(ListenerSchema, {
      name: listenerName("0.0.0.0", port),
      ...anyAddress(port, features),
      bindToPort: false,
      trafficDirection: TrafficDirection.OUTBOUND,
      ...portChains(served, mesh, caller, features),
    });
    listeners.set(listener.name, listener);
  }
  return [...listeners.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Fields of a listener, to be spread into one. */
type ListenerChains = Exclude<MessageInitShape<typeof ListenerSchema>, Listener>;

type Addressless = readonly { readonly service: Service; readonly port: ServicePort }[];

/** Addresses that are one place each: the service itself, or every endpoint of a headless one. */
function calledAt(service: Service, endpoints: Mesh["endpoints"]): (readonly string[])[] {
  if (!service.isHeadless) return [service.addresses];
  return (endpoints.get(service.hostname) ?? []).map(addressesOf);
}

function tcpListener(
  addresses: readonly string[],
  port: ServicePort,
  service: Service,
  mesh: RoutedMesh,
  caller: Caller,
  features: ClientFeatures,
): Listener {
  const isTls = port.protocol === "tls";
  const named = isTls ? tlsChains(service, port.number, mesh, caller, features) : [];
  return create(ListenerSchema, {
    name: listenerName(addresses[0]!, port.number),
    ...placesOf(addresses, port.number),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    ...(named.length > 0
      ? { ...serverNames, filterChains: named }
      : chainFields(tcpChains(service, port.number, mesh, caller, features))),
    metadata: istioMetadata(service.source),
  });
}

interface Served {
  readonly port: number;
  readonly hasHttp: boolean;
  /** TLS that is told by its server name. */
  readonly byName: Addressless;
  /** Takes what is neither. */
  readonly lone: Service | undefined;
  /** Have what goes to their ranges of addresses. */
  readonly ranged: Addressless;
}

/** HTTP finds its host by the request; TLS by the server name; one TCP service takes the rest of the port. */
function portChains(
  { port, hasHttp, byName, lone, ranged }: Served,
  mesh: RoutedMesh,
  caller: Caller,
  features: ClientFeatures,
): ListenerChains {
  const { options } = mesh;
  const inRanges = ranged.map(({ service, port: own }) => rangeChains(service, own, mesh, caller, features));
  const chains = withoutRepeats([
    ...inRanges.flatMap(({ named }) => named),
    ...byName.flatMap(({ service }) => {
      const routed = tlsChains(service, port, mesh, caller, features);
      if (routed.length > 0) return routed;
      const { addressed, rest } = tcpChains(service, port, mesh, caller, features);
      const name = [service.hostname];
      return [
        ...addressed.map(({ pair, filters }) => serverNameChain(name, filters, pair)),
        serverNameChain(name, rest),
      ];
    }),
  ]);
  const bytes = lone && !hasHttp ? tcpChains(lone, port, mesh, caller, features) : undefined;
  const rest = hasHttp
    ? [
        outboundHttp(
          `outbound_0.0.0.0_${port}`,
          String(port),
          authorizersAt(port, mesh, caller),
          options,
          features,
        ),
      ]
    : (bytes?.rest ?? tcpProxy([{ name: unknownCluster(mesh), weight: 1 }], outbound, options, features));
  const addressed = withoutRepeatedPairs([
    ...inRanges.flatMap(({ addressed: own }) => own),
    ...(bytes?.addressed ?? []),
  ]);
  return chains.length > 0
    ? {
        ...serverNames,
        defaultFilterChain: { filters: rest },
        filterChains: [...chains, ...addressed.map(chainOf)],
      }
    : chainFields({ addressed, rest });
}

/** What a service has of the connections to its ranges, which its routes may narrow further. */
function rangeChains(
  service: Service,
  { number, protocol }: ServicePort,
  mesh: RoutedMesh,
  caller: Caller,
  features: ClientFeatures,
): { readonly named: readonly NamedChain[]; readonly addressed: readonly AddressedChain[] } {
  const { ranges = [] } = service;
  const routed = protocol === "tls" ? tlsChains(service, number, mesh, caller, features) : [];
  if (routed.length > 0) {
    const named = routed.flatMap(({ filterChainMatch, ...chain }) => {
      const pairs = within({ key: "", fields: filterChainMatch }, ranges);
      return pairs.map(({ fields }) => ({ ...chain, filterChainMatch: { ...filterChainMatch, ...fields } }));
    });
    return { named, addressed: [] };
  }
  const { addressed, rest } = tcpChains(service, number, mesh, caller, features);
  return {
    named: [],
    addressed: [
      ...addressed.flatMap(({ pair, filters }) =>
        within(pair, ranges).map((own) => ({ pair: own, filters })),
      ),
      ...addressPairs({ to: ranges }).map((pair) => ({ pair, filters: rest })),
    ],
  };
}

/**
 * What a Sidecar's egress listener with an address of its own hands on: HTTP by
 * its host, TLS by its server name, TCP to the first service there is.
 */
export function egressListener(
  { port, bind = "127.0.0.1", isCaptured }: EgressListener,
  mesh: RoutedMesh,
  caller: Caller,
  features: ClientFeatures,
): Listener {
  const { number, protocol } = port!;
  const services = [...mesh.services.values()];
  const isTls = protocol === "tls";
  const served = {
    port: number,
    hasHttp: isHttp(protocol),
    byName: isTls ? services.map((service) => ({ service, port: service.ports[0]! })) : [],
    lone: isTls ? undefined : services[0],
    ranged: [],
  };
  return create(ListenerSchema, {
    name: listenerName(bind, number),
    address: socketAddress(bind, number),
    ...(isCaptured ? { bindToPort: false } : {}),
    trafficDirection: TrafficDirection.OUTBOUND,
    ...portChains(served, mesh, caller, features),
  });
}

/** With interception `NONE`: one listener per upstream the workload names, for that service alone. */
export function upstreamListeners(
  workload: MeshWorkload,
  mesh: RoutedMesh,
  caller: Caller,
  features: ClientFeatures,
): Listener[] {
  return workload.upstreams.map((upstream) => {
    const { hostname, port, bindAddress, bindPort } = upstream;
    const service = mesh.services.get(hostname);
    const name = listenerName(bindAddress, bindPort);
    const http = () => [
      outboundHttp(
        `outbound_${hostLiteral(bindAddress)}_${bindPort}`,
        upstreamRouteName(hostname, port),
        authorizersTo(hostname, port, mesh, caller),
        mesh.options,
        features,
      ),
    ];
    const chains =
      service && isTcpUpstream(upstream, mesh)
        ? tcpChains(service, port, mesh, caller, features)
        : { addressed: [], rest: http() };
    return create(ListenerSchema, {
      name,
      address: socketAddress(bindAddress, bindPort),
      trafficDirection: TrafficDirection.OUTBOUND,
      ...chainFields(chains),
      metadata: istioMetadata(service?.source),
    });
  });
}

/** Whether an upstream's bytes are passed on unseen. One that is not known yet is taken for HTTP and answered. */
export function isTcpUpstream({ hostname, port }: Upstream, mesh: RoutedMesh): boolean {
  const known = mesh.services.get(hostname)?.ports.find((p) => p.number === port);
  return known !== undefined && !isHttp(known.protocol);
}

/** The route configuration of an explicit upstream, or of a service told by its address, e.g. `upstream|9080||reviews.default.svc.cluster.local`. */
export function upstreamRouteName(hostname: string, port: number): string {
  return `upstream|${port}||${hostname}`;
}
