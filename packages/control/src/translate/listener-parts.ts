import { isIPv4 } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ListenerFilterSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import { OriginalDstSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb";
import { ProxyProtocolSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb";
import { TlsInspectorSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb";
import type { ClientFeatures } from "./client-features.ts";
import { pack, placesOf } from "./messages.ts";

type ListenerFilter = MessageInitShape<typeof ListenerFilterSchema>;

/** Every address of the machine, of both families where it has both. */
export function anyAddress(port: number, { hasIpv6 }: ClientFeatures) {
  return placesOf(hasIpv6 ? ["0.0.0.0", "::"] : ["0.0.0.0"], port);
}

/** Those of some addresses that this data plane can have a listener for. */
export function listenable(addresses: readonly string[], { hasIpv6 }: ClientFeatures): readonly string[] {
  return hasIpv6 ? addresses : addresses.filter(isIPv4);
}

/** Restores the address that a captured connection was for. */
export function originalDst(): ListenerFilter {
  return {
    name: "envoy.filters.listener.original_dst",
    configType: { case: "typedConfig", value: pack(OriginalDstSchema, {}) },
  };
}

/** Takes the client's address from the load balancer that says it first; a connection that does not is closed. */
export function proxyProtocol(): ListenerFilter {
  return {
    name: "envoy.filters.listener.proxy_protocol",
    configType: { case: "typedConfig", value: pack(ProxyProtocolSchema, {}) },
  };
}

/** Sees whether a connection begins with TLS, and which name and protocols it asks for. */
export function tlsInspector(): ListenerFilter {
  return {
    name: "envoy.filters.listener.tls_inspector",
    configType: { case: "typedConfig", value: pack(TlsInspectorSchema, {}) },
  };
}
