import type { BackoffStrategy } from "@weft/xds/gen/envoy/config/core/v3/backoff_pb";
import {
  UpstreamConnectMode as ConnectMode,
  type TcpProxy,
  type TcpProxy_OnDemand,
  type TcpProxy_TunnelingConfig,
} from "@weft/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb";
import { hashSourceIp } from "../hash/hash-policy.ts";
import type { TcpProxyPlan, TunnelPlan } from "../listener/listener-plan.ts";
import { decodeAccessLogs } from "./decode-access-log.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderEdits } from "./decode-header-edits.ts";
import { decodeOnDemandSource } from "./decode-on-demand.ts";
import { decodeHeaderValue, durationMs, subsetOf, timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

type Choice = ReturnType<TcpProxyPlan["selectCluster"]>;

export function decodeTcpProxy(tcp: TcpProxy, path: string, context: DecodeContext): TcpProxyPlan {
  const { issues } = context;
  if (tcp.statPrefix === "")
    issues.add(at(path, "stat_prefix"), "is empty", "name the statistics of this listener");
  if (tcp.maxConnectAttempts === 0) issues.add(at(path, "max_connect_attempts"), "is at least 1");
  const positiveMs = (field: string, duration: Parameters<typeof durationMs>[0]) => {
    const value = durationMs(duration, 0);
    if (duration && value < 1) issues.add(at(path, field), "is at least 1 ms");
    return value;
  };
  const jitter = tcp.maxDownstreamConnectionDurationJitterPercentage?.value ?? 0;
  if (!(jitter >= 0 && jitter <= 100)) {
    issues.add(at(path, "max_downstream_connection_duration_jitter_percentage.value"), "is 0 to 100");
  }
  const connectsOnData = tcp.upstreamConnectMode === ConnectMode.ON_DOWNSTREAM_DATA;
  if (connectsOnData && tcp.maxEarlyDataBytes === undefined) {
    issues.add(
      at(path, "upstream_connect_mode"),
      "needs to know how much to keep until there is an upstream",
      "set max_early_data_bytes beside ON_DOWNSTREAM_DATA",
    );
  }
  const logOptions = tcp.accessLogOptions;
  return {
    kind: "tcp",
    statPrefix: tcp.statPrefix,
    selectCluster: decodeChoice(tcp, path, context),
    hashPolicy: tcp.hashPolicy.some(({ policySpecifier }) => policySpecifier.case === "sourceIp")
      ? hashSourceIp
      : undefined,
    idleTimeoutMs: timeoutMs(tcp.idleTimeout, 3_600_000, at(path, "idle_timeout"), issues),
    maxDurationMs: positiveMs("max_downstream_connection_duration", tcp.maxDownstreamConnectionDuration),
    maxDurationJitter: jitter / 100,
    maxConnectAttempts: tcp.maxConnectAttempts ?? 1,
    backoff: decodeBackoff(tcp.backoffOptions, at(path, "backoff_options"), issues),
    connectsOnData,
    // Without a byte there is nothing that could be noticed, so zero bytes still wait for the first.
    maxEarlyBytes: connectsOnData ? Math.max(1, tcp.maxEarlyDataBytes ?? 0) : (tcp.maxEarlyDataBytes ?? 0),
    tunnel: decodeTunnel(tcp.tunnelingConfig, at(path, "tunneling_config"), context),
    discover: decodeOnDemand(tcp.onDemand, at(path, "on_demand"), context),
    logsOnConnected: logOptions ? logOptions.flushAccessLogOnConnected : tcp.flushAccessLogOnConnected,
    accessLogIntervalMs: logOptions
      ? positiveMs("access_log_options.access_log_flush_interval", logOptions.accessLogFlushInterval)
      : positiveMs("access_log_flush_interval", tcp.accessLogFlushInterval),
    accessLogs: decodeAccessLogs(tcp.accessLog, at(path, "access_log"), context),
  };
}

/** Envoy's default, of connections. */
const discoveryTimeoutMs = 60_000;

function decodeOnDemand(
  onDemand: TcpProxy_OnDemand | undefined,
  path: string,
  context: DecodeContext,
): TcpProxyPlan["discover"] {
  if (!onDemand?.odcdsConfig) return undefined;
  return decodeOnDemandSource(
    { source: onDemand.odcdsConfig, timeout: onDemand.timeout, defaultMs: discoveryTimeoutMs },
    { source: at(path, "odcds_config"), timeout: at(path, "timeout") },
    context,
  );
}

function decodeTunnel(
  tunnel: TcpProxy_TunnelingConfig | undefined,
  path: string,
  context: DecodeContext,
): TunnelPlan | undefined {
  if (!tunnel) return undefined;
  const { issues } = context;
  const { hostname, usePost, postPath } = tunnel;
  if (hostname === "") issues.add(at(path, "hostname"), "is empty", "name what to connect to, with its port");
  if (postPath !== "" && !usePost) issues.add(at(path, "post_path"), "is for POST", "set use_post beside it");
  if (postPath !== "" && !postPath.startsWith("/"))
    issues.add(at(path, "post_path"), "does not begin with /");
  return {
    hostname: decodeHeaderValue(hostname, at(path, "hostname"), context),
    postPath: usePost ? postPath || "/" : undefined,
    headers: decodeHeaderEdits(tunnel.headersToAdd, [], path, "request", context),
  };
}

/** Envoy's default for the longest interval is ten times the first. */
function decodeBackoff(
  backoff: BackoffStrategy | undefined,
  path: string,
  issues: Issues,
): TcpProxyPlan["backoff"] {
  if (!backoff) return undefined;
  const baseMs = durationMs(backoff.baseInterval, 0);
  const maxMs = durationMs(backoff.maxInterval, baseMs * 10);
  if (baseMs < 1) issues.add(at(path, "base_interval"), "is at least 1 ms");
  if (maxMs < baseMs) issues.add(at(path, "max_interval"), "is shorter than base_interval");
  return { baseMs, maxMs };
}

function decodeChoice(tcp: TcpProxy, path: string, { issues }: DecodeContext): TcpProxyPlan["selectCluster"] {
  const subset = subsetOf(tcp.metadataMatch);
  const specifier = tcp.clusterSpecifier;
  if (specifier.case === "cluster") {
    const choice: Choice = { cluster: specifier.value, subset };
    if (specifier.value === "") issues.add(at(path, "cluster"), "is empty", "name a cluster");
    return (_random, named) => (named === undefined ? choice : { cluster: named, subset });
  }
  if (specifier.case !== "weightedClusters") {
    issues.add(path, "needs `cluster` or `weighted_clusters`");
    return () => ({ cluster: "", subset: undefined });
  }
  const { clusters } = specifier.value;
  const place = at(path, "weighted_clusters.clusters");
  if (clusters.length === 0) issues.add(place, "is empty", "list at least one cluster");
  const total = clusters.reduce((sum, entry) => sum + entry.weight, 0);
  clusters.forEach((entry, i) => {
    if (entry.weight < 1) issues.add(`${place}[${i}].weight`, "is at least 1");
  });
  const choices = clusters.map(
    (entry): Choice => ({
      cluster: entry.name,
      subset: subsetOf(entry.metadataMatch) ?? subset,
    }),
  );
  return (random) => {
    let rest = random * total;
    for (let i = 0; i < clusters.length - 1; i++) {
      rest -= clusters[i]!.weight;
      if (rest < 0) return choices[i]!;
    }
    return choices[clusters.length - 1]!;
  };
}
