import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { accessLogMetrics } from "@weft/xds/access-log-metrics";
import { type AccessLog, AccessLogSchema } from "@weft/xds/gen/envoy/config/accesslog/v3/accesslog_pb";
import type { HeaderMutationSchema as HeaderEditSchema } from "@weft/xds/gen/envoy/config/common/mutation_rules/v3/mutation_rules_pb";
import { HeaderValueOption_HeaderAppendAction as AppendAction } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { ApiVersion } from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import {
  type CommonGrpcAccessLogConfigSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from "@weft/xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb";
import { FilterConfigSchema as GrpcStatsSchema } from "@weft/xds/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb";
import { HeaderMutationSchema } from "@weft/xds/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb";
import { ConfigSchema as SetFilterStateSchema } from "@weft/xds/gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb";
import type { CustomTagSchema } from "@weft/xds/gen/envoy/type/tracing/v3/custom_tag_pb";
import { metricsLogName } from "@weft/xds/metrics-log-name";
import type { InboundPort } from "../model/mesh.ts";
import type { MetricsRule } from "../model/signals.ts";
import { type HttpFilter, httpFilter } from "./http-filter.ts";
import { duration, pack } from "./messages.ts";

/** Which side of a call a listener sees, and the service it stands for where it stands for one. */
export type Reporter =
  | { readonly direction: "outbound" }
  | { readonly direction: "inbound"; readonly service: InboundPort["service"] };

type CustomTag = MessageInitShape<typeof CustomTagSchema>;
type Common = MessageInitShape<typeof CommonGrpcAccessLogConfigSchema>;

const { cluster, grpcStats, peerMetadataVariable, tags } = accessLogMetrics;
const peerMetadataHeader = "x-envoy-peer-metadata";
const peerMetadataIdHeader = "x-envoy-peer-metadata-id";
/** Filter state: the peer's metadata between its removal and the log. */
const peerState = "weft.peer";

/** Everything Istio's request metrics say, for an agent that counts them: one entry per request. */
export function httpMetricsLog(reporter: Reporter, rule: MetricsRule | undefined): AccessLog {
  return create(AccessLogSchema, {
    name: "envoy.access_loggers.http_grpc",
    configType: {
      case: "typedConfig",
      value: pack(HttpGrpcAccessLogConfigSchema, {
        commonConfig: { ...common(reporter, rule), filterStateObjectsToLog: [grpcStats] },
        additionalRequestHeadersToLog: ["content-type"],
        additionalResponseHeadersToLog: ["grpc-status"],
        additionalResponseTrailersToLog: ["grpc-status"],
      }),
    },
  });
}

/**
 * The same for connections: an entry when one is established, and one when it is over.
 *
 * @param to where all of them go, if that is one cluster
 */
export function tcpMetricsLog(reporter: Reporter, rule: MetricsRule | undefined, to?: string): AccessLog {
  const { customTags = [], ...fields } = common(reporter, rule);
  const isNamed = to !== undefined && reporter.direction === "outbound";
  const clusterTag: CustomTag[] = isNamed
    ? [{ tag: tags.cluster, type: { case: "literal", value: { value: to } } }]
    : [];
  return create(AccessLogSchema, {
    name: "envoy.access_loggers.tcp_grpc",
    configType: {
      case: "typedConfig",
      value: pack(TcpGrpcAccessLogConfigSchema, {
        commonConfig: { ...fields, customTags: [...customTags, ...clusterTag] },
      }),
    },
  });
}

/**
 * What a sidecar tells its peers about itself and learns from them, with
 * standard filters: outbound the agent's words replace whatever the application
 * sent; inbound what the peer said is kept for the log and taken away.
 */
export function peerMetadataFilters(reporter: Reporter) {
  if (reporter.direction === "outbound") {
    const header = { key: peerMetadataHeader, value: `%ENVIRONMENT(${peerMetadataVariable})%` };
    return [
      mutation({ action: { case: "remove", value: peerMetadataIdHeader } }),
      mutation({
        action: { case: "append", value: { header, appendAction: AppendAction.OVERWRITE_IF_EXISTS_OR_ADD } },
      }),
    ];
  }
  const remember = pack(SetFilterStateSchema, {
    onRequestHeaders: [
      {
        key: { case: "objectKey", value: peerState },
        factoryKey: "envoy.string",
        value: {
          case: "formatString",
          value: {
            format: {
              case: "textFormatSource",
              value: { specifier: { case: "inlineString", value: `%REQ(${peerMetadataHeader})%` } },
            },
            omitEmptyValues: true,
          },
        },
        skipIfEmpty: true,
      },
    ],
  });
  return [
    {
      name: "envoy.filters.http.set_filter_state",
      configType: { case: "typedConfig" as const, value: remember },
    },
    mutation({ action: { case: "remove", value: peerMetadataHeader } }),
  ];
}

/** Counts the messages of gRPC calls, for the log. */
export function grpcMessagesFilter(): HttpFilter {
  const config = { emitFilterState: true, perMethodStatSpecifier: statsOfNoMethod };
  return httpFilter(grpcStats, pack(GrpcStatsSchema, config));
}

const statsOfNoMethod = { case: "statsForAllMethods", value: { value: false } } as const;

function mutation(change: MessageInitShape<typeof HeaderEditSchema>) {
  const value = pack(HeaderMutationSchema, { mutations: { requestMutations: [change] } });
  return { name: "envoy.filters.http.header_mutation", configType: { case: "typedConfig" as const, value } };
}

/** Nothing is counted; what is logged is shown to those who look at requests all the same. */
const uncounted = { metric: "", isDropped: true, tagsToRemove: [], tags: [] };

function common(reporter: Reporter, rule: MetricsRule | undefined): Exclude<Common, { $typeName: string }> {
  const { overrides = [] } = rule ?? {};
  const expressions = [...new Set(overrides.flatMap(({ tags }) => tags.map(({ expression }) => expression)))];
  const changes = overrides.map(({ metric, isDropped, removedTags, tags: changed }) => ({
    metric,
    isDropped,
    tagsToRemove: removedTags,
    tags: changed.map(({ name, expression }) => ({ name, dimension: expressions.indexOf(expression) })),
  }));
  return {
    logName: metricsLogName({ direction: reporter.direction, changes: rule ? changes : [uncounted] }),
    grpcService: {
      targetSpecifier: { case: "envoyGrpc", value: { clusterName: cluster } },
    },
    transportApiVersion: ApiVersion.V3,
    bufferFlushInterval: duration(500),
    customTags: [
      ...(reporter.direction === "outbound" ? outboundTags : inboundTags(reporter.service)),
      ...expressions.map(dimensionTag),
    ],
  };
}

function dimensionTag(expression: string, i: number): CustomTag {
  return { tag: `${tags.dimension}${i}`, type: { case: "value", value: `%CEL(${expression})%` } };
}

const connection: CustomTag = { tag: tags.connection, type: { case: "value", value: "%CONNECTION_ID%" } };

const outboundTags: CustomTag[] = [
  connection,
  {
    tag: tags.workload,
    type: {
      case: "metadata",
      value: {
        kind: { kind: { case: "host", value: {} } },
        metadataKey: { key: "istio", path: [{ segment: { case: "key", value: "workload" } }] },
      },
    },
  },
  { tag: tags.principal, type: { case: "value", value: "%UPSTREAM_PEER_URI_SAN%" } },
];

function inboundTags(service: InboundPort["service"]): CustomTag[] {
  const name = service && `${service.hostname};${service.name};${service.namespace}`;
  return [
    connection,
    { tag: tags.peer, type: { case: "value", value: `%FILTER_STATE(${peerState}:PLAIN)%` } },
    ...(name ? [{ tag: tags.service, type: { case: "literal" as const, value: { value: name } } }] : []),
  ];
}
