import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Cluster, ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { type TransportSocket, TransportSocketSchema } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { ProxyProtocolConfig_Version as Version } from "@weft/xds/gen/envoy/config/core/v3/proxy_protocol_pb";
import { ProxyProtocolUpstreamTransportSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb";
import { pack } from "./messages.ts";
import { plaintextSocket } from "./tls.ts";

/** How a cluster's connections are secured. */
export interface Transport {
  readonly transportSocket?: TransportSocket;
  readonly transportSocketMatches?: readonly SocketMatch[];
}

export interface SocketMatch {
  readonly name: string;
  readonly match: Readonly<Record<string, string>>;
  readonly transportSocket: TransportSocket;
}

type ClusterInit = Exclude<MessageInitShape<typeof ClusterSchema>, Cluster>;

/** The same, but every connection begins with a PROXY header, before any TLS: it tells the caller's address. */
export function withProxyProtocol(transport: Transport, version: "V1" | "V2" | undefined): ClusterInit {
  const { transportSocket, transportSocketMatches } = transport;
  const wrap = (socket: TransportSocket) => (version ? headerSocket(version, socket) : socket);
  if (transportSocketMatches) {
    return {
      transportSocketMatches: transportSocketMatches.map((one) => ({
        ...one,
        match: { ...one.match },
        transportSocket: wrap(one.transportSocket),
      })),
    };
  }
  if (!transportSocket && !version) return {};
  return { transportSocket: wrap(transportSocket ?? plaintextSocket()) };
}

function headerSocket(version: "V1" | "V2", transportSocket: TransportSocket): TransportSocket {
  const value = pack(ProxyProtocolUpstreamTransportSchema, {
    config: { version: Version[version] },
    transportSocket,
  });
  return create(TransportSocketSchema, {
    name: "envoy.transport_sockets.upstream_proxy_protocol",
    configType: { case: "typedConfig", value },
  });
}
