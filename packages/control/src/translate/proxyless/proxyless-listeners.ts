import { create } from "@bufbuild/protobuf";
import { TrafficDirection } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { type Listener, ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { HTTPFaultSchema } from "@weft/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb";
import { RouterSchema } from "@weft/xds/gen/envoy/extensions/filters/http/router/v3/router_pb";
import { HttpConnectionManagerSchema } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { grpcServerListenerPrefix } from "@weft/xds/proxyless";
import type { InboundPort, MeshWorkload } from "../../model/mesh.ts";
import type { MeshOptions } from "../../model/mesh-options.ts";
import { isHttp } from "../../model/protocol.ts";
import type { Service } from "../../model/service.ts";
import type { Caller } from "../caller.ts";
import { namesOf } from "../host-claims.ts";
import { adsSource, hostLiteral, istioMetadata, pack, socketAddress } from "../messages.ts";
import { inboundName } from "../names.ts";
import { upstreamRouteName } from "../outbound-listeners.ts";
import { proxylessPolicyFilters } from "../policy-filters.ts";
import { matchAll } from "../route-match.ts";
import { proxylessServerTls } from "./proxyless-tls.ts";

const router = {
  name: "envoy.filters.http.router",
  configType: { case: "typedConfig" as const, value: pack(RouterSchema, {}) },
};
const fault = {
  name: "envoy.filters.http.fault",
  configType: { case: "typedConfig" as const, value: pack(HTTPFaultSchema, {}) },
};

/** One API listener for each spelling of a service's `host:port`, as in `xds:///reviews:9080`. */
export function clientListeners(service: Service, caller: Caller, options: MeshOptions): Listener[] {
  const names = namesOf(service, caller, options);
  return service.ports
    .filter((port) => isHttp(port.protocol))
    .flatMap(({ number }) => {
      const apiListener = pack(HttpConnectionManagerSchema, {
        routeSpecifier: {
          case: "rds",
          value: { configSource: adsSource(), routeConfigName: upstreamRouteName(service.hostname, number) },
        },
        httpFilters: [fault, router],
      });
      return names.map((name) =>
        create(ListenerSchema, {
          name: `${name}:${number}`,
          apiListener: { apiListener },
          metadata: istioMetadata(service.source),
        }),
      );
    });
}

/**
 * What a gRPC server asks for by the address it binds: any address of the
 * machine, in both families, or the workload's own.
 */
export function serverListeners(workload: MeshWorkload, options: MeshOptions): Listener[] {
  const addresses = [...new Set(["0.0.0.0", "::", ...workload.addresses])];
  return workload.inbound
    .filter((port) => isHttp(port.protocol))
    .flatMap((port) => addresses.map((address) => serverListener(address, port, workload, options)));
}

function serverListener(
  address: string,
  port: InboundPort,
  workload: MeshWorkload,
  options: MeshOptions,
): Listener {
  const isSecured = port.mtlsMode !== "DISABLE";
  return create(ListenerSchema, {
    name: `${grpcServerListenerPrefix}${hostLiteral(address)}:${port.port}`,
    address: socketAddress(address, port.port),
    trafficDirection: TrafficDirection.INBOUND,
    filterChains: [
      {
        name: inboundName(port.port),
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            configType: { case: "typedConfig", value: serverConnections(port, workload, options) },
          },
        ],
        ...(isSecured ? { transportSocket: proxylessServerTls() } : {}),
      },
    ],
    metadata: port.service
      ? istioMetadata(undefined, {
          services: [
            { host: port.service.hostname, name: port.service.name, namespace: port.service.namespace },
          ],
        })
      : undefined,
  });
}

/** Denied before allowed, and then to the application. */
function serverConnections(port: InboundPort, workload: MeshWorkload, options: MeshOptions) {
  const name = inboundName(port.port);
  return pack(HttpConnectionManagerSchema, {
    statPrefix: `inbound_${port.port}`,
    routeSpecifier: {
      case: "routeConfig",
      value: {
        name,
        virtualHosts: [
          {
            name: `inbound|http|${port.port}`,
            domains: ["*"],
            routes: [{ match: matchAll(), action: { case: "nonForwardingAction", value: {} } }],
          },
        ],
      },
    },
    httpFilters: [...proxylessPolicyFilters(workload, options), router],
  });
}
