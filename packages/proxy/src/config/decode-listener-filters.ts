import { create } from "@bufbuild/protobuf";
import {
  type ProxyProtocolPassThroughTLVs,
  ProxyProtocolConfig_Version as ProxyVersion,
  ProxyProtocolPassThroughTLVs_PassTLVsMatchType as TlvMatch,
} from "@weft/xds/gen/envoy/config/core/v3/proxy_protocol_pb";
import type { Listener } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import {
  type ProxyProtocol,
  ProxyProtocolSchema,
} from "@weft/xds/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb";
import type {
  FilterChainPlan,
  ListenerFilters,
  ProxyProtocolPlan,
  ProxyProtocolStats,
} from "../listener/listener-plan.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { DecodeContext } from "./decode-context.ts";
import { timeoutMs } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

const scope = "envoy.extensions.filters.listener.";
const proxyProtocolType = `${scope}proxy_protocol.v3.ProxyProtocol`;

/** What a listener looks at before it chooses a filter chain. */
export function decodeListenerFilters(
  listener: Listener,
  chains: readonly FilterChainPlan[],
  path: string,
  context: DecodeContext,
): ListenerFilters {
  const { issues } = context;
  const types = new Set<string>();
  let proxyProtocol: ProxyProtocolPlan | undefined;
  listener.listenerFilters.forEach((filter, i) => {
    const place = `${at(path, "listener_filters")}[${i}]`;
    if (filter.configType.case !== "typedConfig") {
      issues.add(place, "needs `typed_config`", "name the filter's type with @type");
      return;
    }
    const message = unpackAny(filter.configType.value);
    if (!message) return;
    const type = message.$typeName;
    if (!type.startsWith(scope)) issues.add(at(place, "typed_config"), `${type} is not a listener filter`);
    if (types.has(type)) issues.add(at(place, "typed_config"), "is there twice", "remove one of them");
    if (type === proxyProtocolType) {
      if (
        types.has(`${scope}tls_inspector.v3.TlsInspector`) ||
        types.has(`${scope}http_inspector.v3.HttpInspector`)
      ) {
        issues.add(
          place,
          "would find the header already read past",
          "put proxy_protocol before the inspectors",
        );
      }
      proxyProtocol = decodeProxyProtocol(message as ProxyProtocol, at(place, "typed_config"), context);
    }
    types.add(type);
  });
  listener.filterChains.forEach((chain, i) => {
    if (!chain.useProxyProto) return;
    // As Envoy does: the first chain speaks for the listener.
    if (i === 0) proxyProtocol ??= decodeProxyProtocol(create(ProxyProtocolSchema), "", context);
    else if (!listener.filterChains[0]!.useProxyProto) {
      const place = `${at(path, "filter_chains")}[${i}].use_proxy_proto`;
      issues.add(place, "is read from the first filter chain only", "add a proxy_protocol listener filter");
    }
  });
  // As Envoy does: a match on SNI or on TLS itself cannot be judged without looking.
  const needsTlsInspector = chains.some(
    ({ match }) => match.serverNames.length > 0 || match.transportProtocol === "tls",
  );
  return {
    // As Envoy does: handing a connection to its destination's listener needs to know the destination.
    originalDst: (listener.useOriginalDst ?? false) || types.has(`${scope}original_dst.v3.OriginalDst`),
    tlsInspector: needsTlsInspector || types.has(`${scope}tls_inspector.v3.TlsInspector`),
    httpInspector: types.has(`${scope}http_inspector.v3.HttpInspector`),
    proxyProtocol,
    timeoutMs: timeoutMs(
      listener.listenerFiltersTimeout,
      15_000,
      at(path, "listener_filters_timeout"),
      issues,
    ),
    continueOnTimeout: listener.continueOnListenerFiltersTimeout,
  };
}

function decodeProxyProtocol(filter: ProxyProtocol, path: string, context: DecodeContext): ProxyProtocolPlan {
  const { issues, services } = context;
  const rules = filter.rules.map((rule, i) => {
    const place = `${at(path, "rules")}[${i}]`;
    if (rule.tlvType > 255) issues.add(at(place, "tlv_type"), "is at most 255");
    if (rule.onTlvPresent?.key === "") issues.add(at(place, "on_tlv_present.key"), "is empty");
    const { key = "", metadataNamespace = "" } = rule.onTlvPresent ?? {};
    return {
      type: rule.tlvType,
      key,
      namespace: metadataNamespace || "envoy.filters.listener.proxy_protocol",
    };
  });
  return {
    allowsWithout: filter.allowRequestsWithoutProxyProtocol,
    disallowedVersions: new Set(
      filter.disallowedVersions.map((version) => (version === ProxyVersion.V1 ? 1 : 2)),
    ),
    keepsTlv: decodePassedTlvs(filter.passThroughTlvs, at(path, "pass_through_tlvs"), issues),
    rules: rules.filter(({ key }) => key !== ""),
    stats: proxyProtocolStats(services.stats, filter.statPrefix),
  };
}

/** Which TLVs of a client's PROXY header are sent on; none where nothing is said. */
export function decodePassedTlvs(
  passed: ProxyProtocolPassThroughTLVs | undefined,
  path: string,
  issues: Issues,
): (type: number) => boolean {
  if (!passed) return () => false;
  if (passed.matchType === TlvMatch.INCLUDE_ALL) return () => true;
  const types = new Set(passed.tlvType);
  passed.tlvType.forEach((type, i) => {
    if (type > 255) issues.add(`${at(path, "tlv_type")}[${i}]`, "is at most 255");
  });
  return (type) => types.has(type);
}

function proxyProtocolStats(stats: EnvoyStats, statPrefix: string): ProxyProtocolStats {
  const counter = (name: string) =>
    stats.counter(`proxy_proto.{envoy_proxy_protocol_prefix}.${name}`, statPrefix);
  const version = (number: 1 | 2) => ({
    found: counter(`versions.v${number}.found`),
    disallowed: counter(`versions.v${number}.disallowed`),
    error: counter(`versions.v${number}.error`),
  });
  return {
    notFoundAllowed: counter("not_found_allowed"),
    notFoundDisallowed: counter("not_found_disallowed"),
    versions: { 1: version(1), 2: version(2) },
  };
}
