import {
  type AccessLogFilter,
  type ComparisonFilter,
  type ExtensionFilter,
  type GrpcStatusFilter,
  type MetadataFilter,
  ComparisonFilter_Op as Op,
  type RuntimeFilter,
} from "@weft/xds/gen/envoy/config/accesslog/v3/accesslog_pb";
import { AccessLogType } from "@weft/xds/gen/envoy/data/accesslog/v3/accesslog_pb";
import {
  type ExpressionFilter,
  ExpressionFilterSchema,
} from "@weft/xds/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb";
import { metadataAt } from "../layer/dynamic-metadata.ts";
import type { Exchange } from "../layer/exchange.ts";
import { formatResponseFlags } from "../layer/response-flag.ts";
import { effectiveGrpcStatus } from "../telemetry/effective-grpc-status.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeCondition } from "./decode-expression.ts";
import { decodeMetadataMatcher } from "./decode-metadata-matcher.ts";
import { decodeHeaderMatcher, denominatorOf } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at } from "./issues.ts";

type Filter = (exchange: Exchange) => boolean;

/** Which exchanges a logger is for. @see envoy.config.accesslog.v3.AccessLogFilter */
export function decodeAccessLogFilter(filter: AccessLogFilter, path: string, context: DecodeContext): Filter {
  const specifier = filter.filterSpecifier;
  const { issues } = context;
  switch (specifier.case) {
    case "statusCodeFilter": {
      const compare = decodeComparison(
        specifier.value.comparison,
        at(path, "status_code_filter.comparison"),
        context,
      );
      return (exchange) => compare(exchange.response?.status ?? 0);
    }
    case "durationFilter": {
      const compare = decodeComparison(
        specifier.value.comparison,
        at(path, "duration_filter.comparison"),
        context,
      );
      return (exchange) => compare(exchange.endMs - exchange.startMs);
    }
    case "headerFilter": {
      const { header } = specifier.value;
      if (!header) {
        issues.add(at(path, "header_filter.header"), "is missing");
        return () => false;
      }
      const matches = decodeHeaderMatcher(header, at(path, "header_filter.header"), issues);
      return (exchange) => exchange.request !== undefined && matches(exchange.request);
    }
    case "responseFlagFilter": {
      const flags = new Set(specifier.value.flags);
      if (flags.size === 0) return (exchange) => exchange.flags !== 0;
      return (exchange) =>
        exchange.flags !== 0 &&
        formatResponseFlags(exchange.flags)
          .split(",")
          .some((flag) => flags.has(flag));
    }
    case "andFilter":
    case "orFilter": {
      const isAnd = specifier.case === "andFilter";
      const place = at(path, isAnd ? "and_filter.filters" : "or_filter.filters");
      const filters = specifier.value.filters.map((inner, i) =>
        decodeAccessLogFilter(inner, `${place}[${i}]`, context),
      );
      if (filters.length < 2) issues.add(place, "needs at least two filters");
      return isAnd
        ? (exchange) => filters.every((matches) => matches(exchange))
        : (exchange) => filters.some((matches) => matches(exchange));
    }
    // No filter of this proxy answers health checks: every request is one of somebody's.
    case "notHealthCheckFilter":
      return () => true;
    // Envoy means those that must be traced, not those that chance has chosen.
    case "traceableFilter":
      return ({ isTraceForced }) => isTraceForced === true;
    case "runtimeFilter":
      return decodeSampling(specifier.value, at(path, "runtime_filter"), context);
    case "grpcStatusFilter":
      return decodeGrpcStatus(specifier.value);
    case "metadataFilter":
      return decodeMetadata(specifier.value, at(path, "metadata_filter"), context);
    case "logTypeFilter": {
      const { types, exclude } = specifier.value;
      const names = new Set<string>(types.map((type) => AccessLogType[type]));
      return ({ logType = "DownstreamEnd" }) => names.has(logType) !== exclude;
    }
    case "extensionFilter":
      return decodeExtension(specifier.value, at(path, "extension_filter"), context);
    default:
      if (!specifier.case) issues.add(path, "is empty", "remove it to log everything");
      return () => true;
  }
}

function decodeExtension({ configType }: ExtensionFilter, path: string, context: DecodeContext): Filter {
  const place = at(path, "typed_config");
  const message = configType.case === "typedConfig" ? unpackAny(configType.value) : undefined;
  if (message?.$typeName === ExpressionFilterSchema.typeName) {
    return decodeCondition((message as ExpressionFilter).expression, at(place, "expression"), context);
  }
  context.issues.add(place, `${message?.$typeName ?? "it"} is not a filter of access logs`);
  return () => false;
}

function decodeComparison(
  comparison: ComparisonFilter | undefined,
  path: string,
  { issues, runtime }: DecodeContext,
): (value: number) => boolean {
  if (!comparison?.value) {
    issues.add(path, "needs `op` and `value`");
    return () => false;
  }
  const override = runtime.get(comparison.value.runtimeKey);
  const limit = typeof override === "number" ? override : comparison.value.defaultValue;
  switch (comparison.op) {
    case Op.EQ:
      return (value) => value === limit;
    case Op.GE:
      return (value) => value >= limit;
    case Op.LE:
      return (value) => value <= limit;
    case Op.NE:
      return (value) => value !== limit;
    default:
      issues.add(at(path, "op"), "is not a comparison", "one of EQ, GE, LE, NE");
      return () => false;
  }
}

/** A share of the exchanges: by the request id, so that all proxies on a request's way choose alike, or by chance. */
function decodeSampling(filter: RuntimeFilter, path: string, context: DecodeContext): Filter {
  const { issues, runtime, services } = context;
  const { runtimeKey, percentSampled, useIndependentRandomness } = filter;
  if (runtimeKey === "") issues.add(at(path, "runtime_key"), "is empty", "name it, or anything");
  const denominator = percentSampled ? denominatorOf(percentSampled) : 100;
  const override = runtime.get(runtimeKey);
  const share = typeof override === "number" ? override : (percentSampled?.numerator ?? 0);
  return ({ requestId }) => {
    const stable = useIndependentRandomness ? Number.NaN : Number.parseInt(requestId.slice(0, 8), 16);
    const chosen = Number.isNaN(stable) ? Math.floor(services.random() * denominator) : stable % denominator;
    return chosen < share;
  };
}

function decodeGrpcStatus({ statuses, exclude }: GrpcStatusFilter): Filter {
  const accepted = new Set<number>(statuses);
  return (exchange) => accepted.has(effectiveGrpcStatus(exchange)) !== exclude;
}

/** Exchanges without the value are logged unless that is denied. */
function decodeMetadata(filter: MetadataFilter, path: string, { issues }: DecodeContext): Filter {
  const logsWithout = filter.matchIfKeyNotFound ?? true;
  if (!filter.matcher) return () => logsWithout;
  const {
    filter: namespace,
    keys,
    matches,
  } = decodeMetadataMatcher(filter.matcher, at(path, "matcher"), issues);
  return ({ dynamicMetadata }) => {
    const value = metadataAt(dynamicMetadata, namespace, keys);
    return value === undefined ? logsWithout : matches(value);
  };
}
