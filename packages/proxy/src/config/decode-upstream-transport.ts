import type { TransportSocket } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  type ProxyProtocolConfig,
  ProxyProtocolConfig_Version as ProxyVersion,
} from "@weft/xds/gen/envoy/config/core/v3/proxy_protocol_pb";
import type { ProxyProtocolUpstreamTransport } from "@weft/xds/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb";
import type { TransportPlan } from "../cluster/cluster-plan.ts";
import type { UpstreamProxyProtocol } from "../net/upstream-proxy-protocol.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodePassedTlvs } from "./decode-listener-filters.ts";
import { decodeUpstreamTls } from "./decode-tls.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

/** How endpoints are spoken to: a PROXY header first where one is wanted, then TLS or plain bytes. */
export function decodeUpstreamTransport(
  socket: TransportSocket | undefined,
  path: string,
  context: DecodeContext,
): Pick<TransportPlan, "tls" | "proxyProtocol"> {
  const config = socket?.configType;
  const message = config?.case === "typedConfig" ? unpackAny(config.value) : undefined;
  if (
    message?.$typeName !==
    "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport"
  ) {
    return { tls: decodeUpstreamTls(socket, path, context), proxyProtocol: undefined };
  }
  const { config: header, transportSocket } = message as ProxyProtocolUpstreamTransport;
  const place = at(path, "typed_config");
  if (!transportSocket) {
    context.issues.add(at(place, "transport_socket"), "is missing", "name raw_buffer for plain connections");
  }
  return {
    tls: decodeUpstreamTls(transportSocket, at(place, "transport_socket"), context),
    proxyProtocol: decodeHeader(header, at(place, "config"), context.issues),
  };
}

function decodeHeader(
  header: ProxyProtocolConfig | undefined,
  path: string,
  issues: Issues,
): UpstreamProxyProtocol {
  const added = header?.addedTlvs ?? [];
  added.forEach(({ type, value }, i) => {
    const place = `${at(path, "added_tlvs")}[${i}]`;
    if (type > 255) issues.add(at(place, "type"), "is at most 255");
    if (value.length === 0) issues.add(at(place, "value"), "is empty");
    if (value.length > 0xffff) issues.add(at(place, "value"), "is longer than 65535 bytes");
  });
  return {
    version: header?.version === ProxyVersion.V2 ? 2 : 1,
    addedTlvs: added.map(({ type, value }) => ({ type, value: Buffer.from(value) })),
    passesTlv: decodePassedTlvs(header?.passThroughTlvs, at(path, "pass_through_tlvs"), issues),
  };
}
