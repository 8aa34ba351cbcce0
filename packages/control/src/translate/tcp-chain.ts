import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type AccessLog,
  AccessLogFilterSchema,
  AccessLogSchema,
} from "@weft/xds/gen/envoy/config/accesslog/v3/accesslog_pb";
import { type Filter, FilterSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import { AccessLogType } from "@weft/xds/gen/envoy/data/accesslog/v3/accesslog_pb";
import {
  type TcpProxy,
  TcpProxySchema,
} from "@weft/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb";
import type { MeshOptions } from "../model/mesh-options.ts";
import type { PortPolicy } from "../model/traffic-policy.ts";
import { accessLogs } from "./access-log.ts";
import { type Reporter, tcpMetricsLog } from "./access-log-metrics.ts";
import type { ReportingFeatures } from "./client-features.ts";
import { istioStats } from "./istio-stats.ts";
import { adsSource, duration, hostLiteral, pack } from "./messages.ts";
import { signalsOf } from "./signals-of.ts";

/** Fields of a TcpProxy, to be spread into one. */
type TcpFields = Exclude<MessageInitShape<typeof TcpProxySchema>, TcpProxy>;

export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
}

/** Bytes to one cluster, or to one of several by weight, counted where the data plane can. */
export function tcpProxy(
  clusters: readonly WeightedCluster[],
  reporter: Reporter,
  options: MeshOptions,
  features: ReportingFeatures,
  policy?: PortPolicy,
): Filter[] {
  const { hasIstioStatsNetwork, hasAccessLogMetrics, learnsScope } = features;
  const { accessLogs: rules, metrics } = signalsOf(features, options, reporter.direction);
  const [first] = clusters;
  const clusterSpecifier =
    clusters.length === 1
      ? { case: "cluster" as const, value: first!.name }
      : { case: "weightedClusters" as const, value: { clusters: clusters.map((c) => ({ ...c })) } };
  const config = pack(TcpProxySchema, {
    statPrefix: first!.name,
    clusterSpecifier,
    ...(learnsScope && reporter.direction === "outbound" ? { onDemand: { odcdsConfig: adsSource() } } : {}),
    ...policyFields(policy),
    ...(hasAccessLogMetrics
      ? {
          accessLog: [
            ...accessLogs(rules, "tcp").map(atEnd),
            tcpMetricsLog(reporter, metrics, clusters.length === 1 ? first!.name : undefined),
          ],
          accessLogOptions: {
            flushAccessLogOnConnected: true,
            accessLogFlushInterval: duration(metrics?.reportingMs ?? defaultReportingMs),
          },
        }
      : { accessLog: accessLogs(rules, "tcp") }),
  });
  const proxy = create(FilterSchema, {
    name: "envoy.filters.network.tcp_proxy",
    configType: { case: "typedConfig", value: config },
  });
  return hasIstioStatsNetwork && metrics ? [create(FilterSchema, istioStats(metrics)), proxy] : [proxy];
}

/** How often open connections are counted, as in Istio. */
const defaultReportingMs = 5_000;

/** How long a connection may live, by what it finds its endpoint, and through what it goes. */
function policyFields(policy: PortPolicy | undefined): TcpFields {
  const { tcpIdleTimeoutMs, maxConnectionDurationMs } = policy?.connectionPool ?? {};
  const { balancer, tunnel } = policy ?? {};
  const isBySource = balancer?.kind === "consistent-hash" && balancer.key?.kind === "source-ip";
  return {
    ...(tcpIdleTimeoutMs === undefined ? {} : { idleTimeout: duration(tcpIdleTimeoutMs) }),
    ...(maxConnectionDurationMs === undefined
      ? {}
      : { maxDownstreamConnectionDuration: duration(maxConnectionDurationMs) }),
    ...(tunnel
      ? {
          tunnelingConfig: {
            hostname: `${hostLiteral(tunnel.host)}:${tunnel.port}`,
            usePost: tunnel.method === "POST",
          },
        }
      : {}),
    ...(isBySource ? { hashPolicy: [{ policySpecifier: { case: "sourceIp", value: {} } }] } : {}),
  };
}

/** One line per connection, although there are entries for its beginning and meanwhile too. */
function atEnd({ name, configType, filter }: AccessLog): AccessLog {
  const types = [AccessLogType.NotSet, AccessLogType.TcpConnectionEnd];
  const ended = create(AccessLogFilterSchema, {
    filterSpecifier: { case: "logTypeFilter", value: { types } },
  });
  const both = create(AccessLogFilterSchema, {
    filterSpecifier: { case: "andFilter", value: { filters: [ended, ...(filter ? [filter] : [])] } },
  });
  return create(AccessLogSchema, { name, configType, filter: filter ? both : ended });
}
