import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import type { Metadata } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { TrafficDirection } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  type FilterChain,
  FilterChainMatch_ConnectionSourceType as SourceType,
} from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import {
  type Listener,
  Listener_DrainType,
  ListenerSchema,
} from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import type { NetworkFilter } from "../layer/network-filter.ts";
import type {
  FilterChainMatch,
  FilterChainPlan,
  ListenerPlan,
  TcpProxyPlan,
} from "../listener/listener-plan.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import { decodeChainChoice } from "./decode-chain-choice.ts";
import type { DecodeContext, Direction } from "./decode-context.ts";
import { decodeListenerFilters } from "./decode-listener-filters.ts";
import { decodeNetworkFilter } from "./decode-network-filters.ts";
import { decodeDownstreamTls } from "./decode-tls.ts";
import { decodeAddress, decodeCidr, originOf, timeoutMs } from "./decode-values.ts";
import { at } from "./issues.ts";

const directions: Readonly<Record<TrafficDirection, Direction>> = {
  [TrafficDirection.UNSPECIFIED]: "unspecified",
  [TrafficDirection.INBOUND]: "inbound",
  [TrafficDirection.OUTBOUND]: "outbound",
};

/** Decodes a listener. The plan is usable only when `context.issues` stayed empty. */
export function decodeListener(listener: Listener, path: string, context: DecodeContext): ListenerPlan {
  const { issues } = context;
  const direction = directions[listener.trafficDirection];
  const chains = listener.filterChains.map((chain, i) =>
    decodeChain(chain, direction, `${at(path, "filter_chains")}[${i}]`, context),
  );
  const defaultChain =
    listener.defaultFilterChain &&
    decodeChain(listener.defaultFilterChain, direction, at(path, "default_filter_chain"), context);
  if (chains.length === 0 && !defaultChain)
    issues.add(at(path, "filter_chains"), "is empty", "add a filter chain");
  const chainChoice = decodeChainChoice(listener, path, issues);
  if (!chainChoice) reportEqualMatches(chains, path, context);
  return {
    name: listener.name,
    addresses: decodeAddresses(listener, path, context),
    bindToPort: listener.bindToPort ?? true,
    useOriginalDst: listener.useOriginalDst ?? false,
    trafficDirection: direction,
    listenerFilters: decodeListenerFilters(listener, chains, path, context),
    chains,
    defaultChain,
    chainChoice,
    bufferLimitBytes: listener.perConnectionBufferLimitBytes ?? 1024 * 1024,
    maxConnections: connectionLimit(context.runtime, `listener.${listener.name}`),
    ignoresGlobalLimit: listener.ignoreGlobalConnLimit,
    ignoresFailedHealthChecks: listener.drainType === Listener_DrainType.MODIFY_ONLY,
    bypassesOverload: listener.bypassOverloadManager,
    origin: originOf(listener.metadata),
    policyOrigins: policyOriginsOf(listener.metadata),
    fingerprint: createHash("sha1").update(toBinary(ListenerSchema, listener)).digest("base64"),
  };
}

/** `filter_metadata["istio"].policies`: the control plane's note of where each rule was written. */
function policyOriginsOf(metadata: Metadata | undefined): ReadonlyMap<string, string> {
  const policies = metadata?.filterMetadata.istio?.policies;
  if (typeof policies !== "object" || policies === null || Array.isArray(policies)) return new Map();
  return new Map(
    Object.entries(policies).flatMap(([name, place]) => (typeof place === "string" ? [[name, place]] : [])),
  );
}

/** Envoy's limit for one listener, which only runtime can set. */
function connectionLimit(runtime: ReadonlyMap<string, unknown>, of: string): number | undefined {
  const value = runtime.get(`envoy.resource_limits.${of}.connection_limit`);
  return typeof value === "number" ? value : undefined;
}

function decodeAddresses(
  listener: Listener,
  path: string,
  { issues }: DecodeContext,
): readonly SocketAddress[] {
  const places = [
    [listener.address, at(path, "address")] as const,
    ...listener.additionalAddresses.map(
      (extra, i) => [extra.address, `${at(path, "additional_addresses")}[${i}].address`] as const,
    ),
  ];
  return places.flatMap(([message, place]) => {
    const address = decodeAddress(message, place, issues);
    if (address?.kind === "ip" && address.host !== "" && isIP(address.host) === 0) {
      issues.add(
        at(place, "socket_address.address"),
        `${JSON.stringify(address.host)} is not an IP address`,
        "listeners bind to addresses, e.g. 0.0.0.0",
      );
    }
    return address ?? [];
  });
}

function decodeChain(
  chain: FilterChain,
  direction: Direction,
  path: string,
  context: DecodeContext,
): FilterChainPlan {
  const networkFilters: NetworkFilter[] = [];
  let terminal: FilterChainPlan["terminal"] | undefined;
  chain.filters.forEach((filter, i) => {
    const place = `${at(path, "filters")}[${i}]`;
    const decoded = decodeNetworkFilter(filter, direction, place, context);
    if (!decoded) return;
    if (!("kind" in decoded)) networkFilters.push(decoded);
    else if (i !== chain.filters.length - 1) {
      context.issues.add(place, `${filter.name} ends a chain`, "put it last");
    }
    if ("kind" in decoded) terminal = decoded;
  });
  if (!terminal && context.issues.isEmpty) {
    context.issues.add(
      at(path, "filters"),
      "does not end with a filter that answers",
      "end it with envoy.filters.network.http_connection_manager or envoy.filters.network.tcp_proxy",
    );
  }
  return {
    name: chain.name,
    match: decodeMatch(chain, at(path, "filter_chain_match"), context),
    tls: decodeDownstreamTls(chain.transportSocket, at(path, "transport_socket"), context),
    transportConnectTimeoutMs: timeoutMs(
      chain.transportSocketConnectTimeout,
      0,
      at(path, "transport_socket_connect_timeout"),
      context.issues,
    ),
    networkFilters,
    terminal: terminal ?? unusable,
  };
}

/** Completes the type where issues have been reported; a plan with issues is never used. */
const unusable: TcpProxyPlan = {
  kind: "tcp",
  statPrefix: "",
  selectCluster: () => ({ cluster: "", subset: undefined }),
  idleTimeoutMs: 0,
  maxDurationMs: 0,
  maxDurationJitter: 0,
  maxConnectAttempts: 1,
  backoff: undefined,
  connectsOnData: false,
  maxEarlyBytes: 0,
  logsOnConnected: false,
  accessLogIntervalMs: 0,
  accessLogs: [],
};

const sourceTypes: Readonly<Record<SourceType, FilterChainMatch["sourceType"]>> = {
  [SourceType.ANY]: "any",
  [SourceType.SAME_IP_OR_LOOPBACK]: "same-ip-or-loopback",
  [SourceType.EXTERNAL]: "external",
};

function decodeMatch(chain: FilterChain, path: string, { issues }: DecodeContext): FilterChainMatch {
  const match = chain.filterChainMatch;
  const ranges = (list: NonNullable<typeof match>["prefixRanges"] | undefined, field: string) =>
    (list ?? []).map((range, i) => decodeCidr(range, `${at(path, field)}[${i}]`, issues));
  (match?.serverNames ?? []).forEach((name, i) => {
    if (name === "" || name.slice(1).includes("*") || (name.startsWith("*") && !name.startsWith("*."))) {
      issues.add(
        `${at(path, "server_names")}[${i}]`,
        `${JSON.stringify(name)} is not a server name`,
        "a wildcard is `*.` and a domain",
      );
    }
  });
  const protocol = match?.transportProtocol ?? "";
  if (!["", "tls", "raw_buffer"].includes(protocol)) {
    issues.add(
      at(path, "transport_protocol"),
      `${JSON.stringify(protocol)} is never detected`,
      "use tls or raw_buffer",
    );
  }
  return {
    destinationPort: match?.destinationPort,
    prefixRanges: ranges(match?.prefixRanges, "prefix_ranges"),
    serverNames: (match?.serverNames ?? []).map((name) => name.toLowerCase()),
    transportProtocol: protocol,
    applicationProtocols: match?.applicationProtocols ?? [],
    directSourcePrefixRanges: ranges(match?.directSourcePrefixRanges, "direct_source_prefix_ranges"),
    sourcePrefixRanges: ranges(match?.sourcePrefixRanges, "source_prefix_ranges"),
    sourcePorts: match?.sourcePorts ?? [],
    sourceType: sourceTypes[match?.sourceType ?? SourceType.ANY],
  };
}

/** Two chains for the same connections: the second could never be chosen. */
function reportEqualMatches(
  chains: readonly FilterChainPlan[],
  path: string,
  { issues }: DecodeContext,
): void {
  const seen = new Map<string, number>();
  chains.forEach(({ match }, i) => {
    const key = JSON.stringify(match);
    const earlier = seen.get(key);
    if (earlier === undefined) seen.set(key, i);
    else {
      issues.add(
        `${at(path, "filter_chains")}[${i}]`,
        `matches the same connections as filter_chains[${earlier}]`,
        "give it a filter_chain_match of its own",
      );
    }
  });
}
