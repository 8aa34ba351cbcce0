import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { TrafficDirection, type TransportSocket } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type {
  Filter,
  FilterChainSchema,
} from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import { type Listener, ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import type { InboundPort, MeshWorkload } from "../model/mesh.ts";
import type { MeshOptions } from "../model/mesh-options.ts";
import { isHttp } from "../model/protocol.ts";
import type { MtlsMode } from "../model/security.ts";
import { noPolicy } from "../model/traffic-policy.ts";
import type { ClientFeatures } from "./client-features.ts";
import { type Audience, isExplainedTo } from "./explain-header.ts";
import { gatewayTls } from "./gateway/gateway-tls.ts";
import { inboundHttp } from "./http-chain.ts";
import { anyAddress, originalDst, tlsInspector } from "./listener-parts.ts";
import { duration, placesOf } from "./messages.ts";
import {
  blackHoleCluster,
  inboundCapturePort,
  inboundName,
  inboundPassthroughCluster,
  listenerName,
} from "./names.ts";
import { httpPolicyFilters, tcpPolicyFilters } from "./policy-filters.ts";
import { listenerMetadata } from "./policy-origins.ts";
import { matchAll } from "./route-match.ts";
import { tcpProxy } from "./tcp-chain.ts";
import { inboundTls } from "./tls.ts";

type Chain = Exclude<MessageInitShape<typeof FilterChainSchema>, { $typeName: string }>;

/** How a member of the mesh can be told from anyone else that speaks TLS. */
const meshAlpn = "istio";
/**
 * In the order a server chooses. With a caller that offers the mark of the mesh
 * alone, nothing is agreed on where requests are expected: their first bytes say
 * by which version they come.
 */
const alpnOf: Readonly<Record<InboundPort["protocol"], readonly string[]>> = {
  http: ["h2", "http/1.1"],
  http2: ["h2"],
  grpc: ["h2"],
  tcp: [meshAlpn, "h2", "http/1.1"],
  tls: [meshAlpn, "h2", "http/1.1"],
};

/** What arrives for no service in particular. */
const unnamed = { direction: "inbound", service: undefined } as const;

/** Where traffic to the workload arrives: 15006 when it is captured, else one listener for each such port. */
export function inboundListeners(
  workload: MeshWorkload,
  options: MeshOptions,
  features: ClientFeatures,
): Listener[] {
  if (workload.interception === "NONE") {
    const own = workload.addresses.length > 0 ? workload.addresses : ["0.0.0.0"];
    return workload.inbound.map((port) =>
      portListener(port.bind === undefined ? own : [port.bind], port, workload, options, features),
    );
  }
  const bound = workload.inbound.flatMap((port) =>
    port.bind === undefined ? [] : portListener([port.bind], port, workload, options, features),
  );
  return [virtualInbound(workload, options, features), ...bound];
}

function virtualInbound(workload: MeshWorkload, options: MeshOptions, features: ClientFeatures): Listener {
  const ports = workload.inbound
    .filter(({ bind }) => bind === undefined)
    .flatMap((port) => portChains(port, workload, options, features));
  return create(ListenerSchema, {
    ...common(),
    name: "virtualInbound",
    metadata: listenerMetadata(workload, features),
    ...anyAddress(inboundCapturePort, features),
    listenerFilters: [originalDst(), tlsInspector()],
    filterChains: [
      {
        name: "virtualInbound-blackhole",
        filterChainMatch: { destinationPort: inboundCapturePort },
        filters: tcpProxy([{ name: blackHoleCluster, weight: 1 }], unnamed, options, features),
      },
      ...ports,
      ...passthroughChains(workload, options, features),
    ],
  });
}

function portListener(
  addresses: readonly string[],
  port: InboundPort,
  workload: MeshWorkload,
  options: MeshOptions,
  features: ClientFeatures,
): Listener {
  return create(ListenerSchema, {
    ...common(),
    name: `inbound_${listenerName(addresses[0]!, port.listenPort)}`,
    ...placesOf(addresses, port.listenPort),
    metadata: listenerMetadata(workload, features),
    listenerFilters: [tlsInspector()],
    filterChains: portChains(port, workload, options, features).map((chain) => ({
      ...chain,
      filterChainMatch: { ...chain.filterChainMatch, destinationPort: undefined },
    })),
  });
}

function common() {
  return {
    trafficDirection: TrafficDirection.INBOUND,
    listenerFiltersTimeout: duration(5_000),
    continueOnListenerFiltersTimeout: true,
  };
}

function portChains(
  port: InboundPort,
  workload: MeshWorkload,
  options: MeshOptions,
  features: ClientFeatures,
): Chain[] {
  const isRequests = isHttp(port.protocol);
  const name = inboundName(port.port);
  const reporter = { direction: "inbound", service: port.service } as const;
  const opaque = () => [
    ...tcpPolicyFilters(workload, options),
    ...tcpProxy([{ name, weight: 1 }], reporter, options, features, {
      ...noPolicy,
      connectionPool: port.pool,
    }),
  ];
  const requests = (audience: Audience) => [
    inboundHttp(
      `inbound_0.0.0.0_${port.port}`,
      inboundRoutes(port),
      httpPolicyFilters(workload, options),
      { reporter, features },
      options,
      audience,
    ),
  ];
  const filters = isRequests ? requests("member") : opaque();
  const isToldLess =
    isRequests && isExplainedTo("member", options, features) && !isExplainedTo("anybody", options, features);
  return securedChains(port.mtlsMode, {
    name: listenerName("0.0.0.0", port.port),
    destinationPort: port.port,
    alpn: alpnOf[port.protocol],
    filters,
    ...(isToldLess ? { plain: requests("anybody") } : {}),
    ...(isRequests ? { opaque: opaque() } : {}),
    ...(port.ownTls
      ? { ownTls: gatewayTls(port.ownTls.server, isRequests ? ["h2", "http/1.1"] : [], options) }
      : {}),
    options,
  });
}

/** Ports that nobody declared: bytes only, under the workload's own policy. */
function passthroughChains(workload: MeshWorkload, options: MeshOptions, features: ClientFeatures): Chain[] {
  const filters = [
    ...tcpPolicyFilters(workload, options),
    ...tcpProxy([{ name: inboundPassthroughCluster, weight: 1 }], unnamed, options, features),
  ];
  return securedChains(workload.mtlsMode, { name: "virtualInbound", alpn: alpnOf.tcp, filters, options });
}

interface ChainSpec {
  readonly name: string;
  readonly destinationPort?: number;
  readonly alpn: readonly string[];
  readonly filters: readonly Filter[];
  /** For callers without a certificate, where that is another. */
  readonly plain?: readonly Filter[];
  /** For TLS of the application's own on a port whose requests are otherwise seen. */
  readonly opaque?: readonly Filter[];
  /** What ends TLS of callers outside the mesh. Then nobody is served without TLS. */
  readonly ownTls?: TransportSocket;
  readonly options: MeshOptions;
}

/**
 * STRICT has no chain for plaintext: such a connection is closed before a byte
 * is passed on. PERMISSIVE takes mutual TLS from members of the mesh, and passes
 * everything else, TLS of the application's own included, as it is. TLS of the port's
 * own takes the place of all of that, and of what DISABLE takes.
 */
function securedChains(mode: MtlsMode, spec: ChainSpec): Chain[] {
  const port = spec.destinationPort === undefined ? {} : { destinationPort: spec.destinationPort };
  const secured = {
    filters: [...spec.filters],
    transportSocket: inboundTls(spec.options, spec.alpn),
  };
  const plain = [...(spec.plain ?? spec.filters)];
  const own: Chain = {
    name: `${spec.name}-own-tls`,
    filterChainMatch: { ...port, transportProtocol: "tls" },
    filters: plain,
    ...(spec.ownTls ? { transportSocket: spec.ownTls } : {}),
  };
  switch (mode) {
    case "STRICT":
      return [{ ...secured, name: spec.name, filterChainMatch: { ...port, transportProtocol: "tls" } }];
    case "DISABLE":
      if (spec.ownTls) return [own];
      return [{ name: spec.name, filterChainMatch: port, filters: plain }];
    case "PERMISSIVE":
      return [
        {
          ...secured,
          name: spec.name,
          filterChainMatch: { ...port, transportProtocol: "tls", applicationProtocols: [meshAlpn] },
        },
        ...(spec.ownTls ? [own] : unsecured(spec, port, plain)),
      ];
  }
}

function unsecured({ name, opaque }: ChainSpec, port: Chain["filterChainMatch"], plain: Filter[]): Chain[] {
  const passing = {
    name: `${name}-tls`,
    filterChainMatch: { ...port, transportProtocol: "tls" },
    filters: [...(opaque ?? [])],
  };
  return [
    ...(opaque ? [passing] : []),
    { name: `${name}-plaintext`, filterChainMatch: port, filters: plain },
  ];
}

function inboundRoutes({ port }: InboundPort): RouteConfiguration {
  const name = inboundName(port);
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: [
      {
        name: `inbound|http|${port}`,
        domains: ["*"],
        routes: [
          {
            name: "default",
            match: matchAll(),
            action: {
              case: "route",
              value: { clusterSpecifier: { case: "cluster", value: name }, timeout: duration(0) },
            },
          },
        ],
      },
    ],
    validateClusters: false,
  });
}
