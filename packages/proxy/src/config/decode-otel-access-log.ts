import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { messageOf } from "@weft/base/errors";
import type { OpenTelemetryAccessLogConfig } from "@weft/xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb";
import { ExportLogsServiceRequestSchema } from "@weft/xds/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb";
import type {
  AnyValue,
  AnyValueSchema,
  KeyValue,
  KeyValueSchema,
} from "@weft/xds/gen/opentelemetry/proto/common/v1/common_pb";
import type { LogRecordSchema } from "@weft/xds/gen/opentelemetry/proto/logs/v1/logs_pb";
import { callGrpc } from "../filters/grpc-callout.ts";
import type { AccessLog } from "../layer/access-log.ts";
import type { Exchange } from "../layer/exchange.ts";
import { compileTextFormat } from "../telemetry/access-log-format.ts";
import { ExportBatch } from "../telemetry/export-batch.ts";
import { activeSpanId, activeTraceId } from "../tracing/active-span.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeGrpcService } from "./decode-grpc-service.ts";
import { durationMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";
import { sharedBatch } from "./shared-batches.ts";

type Attribute = MessageInitShape<typeof KeyValueSchema>;
type Value = MessageInitShape<typeof AnyValueSchema>;
type LogRecord = MessageInitShape<typeof LogRecordSchema>;
type ReadValue = (exchange: Exchange) => Value;

const exportPath = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const exportTimeoutMs = 10_000;
/** What a record takes beside its texts. */
const recordBytes = 32;
const maxDepth = 16;

/**
 * An access log that is sent to an OpenTelemetry collector in batches. Body and
 * attributes are text with command operators, nested as they are written.
 *
 * @see envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig
 */
export function decodeOtelAccessLog(
  config: OpenTelemetryAccessLogConfig,
  filter: ((exchange: Exchange) => boolean) | undefined,
  path: string,
  context: DecodeContext,
): AccessLog {
  const { issues, services } = context;
  const common = config.commonConfig;
  const place = at(path, "common_config");
  if (!common || common.logName === "") issues.add(at(place, "log_name"), "is empty", "name the log");
  const target = decodeGrpcService(common?.grpcService, exportTimeoutMs, at(place, "grpc_service"), context);
  const resource = { attributes: resourceOf(config, common?.logName ?? "", context) };
  const bodyOf = config.body && compileValue(config.body, at(path, "body"), issues, 0);
  const attributesOf = compileEntries(
    config.attributes?.values ?? [],
    at(path, "attributes.values"),
    issues,
    0,
  );
  const scope = `access_logs.open_telemetry_access_log.${config.statPrefix === "" ? "" : `${config.statPrefix}.`}`;
  const flushIntervalMs = Math.max(1, durationMs(common?.bufferFlushInterval, 1_000));
  const batchBytes = common?.bufferSizeBytes ?? 16_384;
  const make = () =>
    new ExportBatch<LogRecord>({
      clock: services.clock,
      flushIntervalMs,
      batchBytes,
      written: services.stats.counter(`${scope}logs_written`),
      dropped: services.stats.counter(`${scope}logs_dropped`),
      send(logs, done) {
        const instrumentationLibraryLogs = [{ logs: [...logs] }];
        const request = create(ExportLogsServiceRequestSchema, {
          resourceLogs: [{ resource, instrumentationLibraryLogs }],
        });
        const bytes = toBinary(ExportLogsServiceRequestSchema, request);
        callGrpc(services.callouts, target, exportPath, bytes, (reply) => done(reply !== undefined));
      },
    });
  const identity = [exportPath, resource, target, scope, flushIntervalMs, batchBytes];
  const batch = sharedBatch(context, identity, make);
  return {
    log(exchange) {
      if (filter && !filter(exchange)) return;
      const body = bodyOf?.(exchange);
      const attributes = attributesOf(exchange);
      const timeUnixNano = BigInt(Math.round(exchange.startEpochMs * 1_000)) * 1_000n;
      const traceId = Buffer.from(activeTraceId(exchange) ?? "", "hex");
      const spanId = Buffer.from(activeSpanId(exchange) ?? "", "hex");
      batch.add(
        { timeUnixNano, body, attributes, traceId, spanId },
        recordBytes + sizeOf(body) + sizeOfAll(attributes),
      );
    },
  };
}

/** Who logs: what is configured, and Envoy's own labels unless they are turned off. */
function resourceOf(
  { disableBuiltinLabels, resourceAttributes }: OpenTelemetryAccessLogConfig,
  logName: string,
  { services }: DecodeContext,
): Attribute[] {
  const { id, cluster, zone } = services.node;
  const labels = { log_name: logName, zone_name: zone, cluster_name: cluster, node_name: id };
  const builtin = disableBuiltinLabels
    ? []
    : Object.entries(labels).map(([key, text]): Attribute => ({ key, value: stringValue(text) }));
  return [...builtin, ...(resourceAttributes?.values ?? [])];
}

function stringValue(text: string): Value {
  return { value: { case: "stringValue", value: text } };
}

function compileEntries(
  entries: readonly KeyValue[],
  path: string,
  issues: Issues,
  depth: number,
): (exchange: Exchange) => Attribute[] {
  const compiled = entries.map(({ key, value }, i) => ({
    key,
    read: compileValue(value, `${path}[${i}].value`, issues, depth),
  }));
  return (exchange) => compiled.map(({ key, read }) => ({ key, value: read(exchange) }));
}

function compileValue(message: AnyValue | undefined, path: string, issues: Issues, depth: number): ReadValue {
  const value = message?.value;
  if (depth > maxDepth) {
    issues.add(path, `is nested deeper than ${maxDepth}`);
    return () => ({});
  }
  switch (value?.case) {
    case "stringValue":
      return compileText(value.value, at(path, "string_value"), issues);
    case "kvlistValue": {
      const valuesOf = compileEntries(value.value.values, at(path, "kvlist_value.values"), issues, depth + 1);
      return (exchange) => ({ value: { case: "kvlistValue", value: { values: valuesOf(exchange) } } });
    }
    case "arrayValue": {
      const place = at(path, "array_value.values");
      const items = value.value.values.map((item, i) =>
        compileValue(item, `${place}[${i}]`, issues, depth + 1),
      );
      return (exchange) => ({
        value: { case: "arrayValue", value: { values: items.map((read) => read(exchange)) } },
      });
    }
    default:
      issues.add(
        path,
        "needs `string_value`, `kvlist_value` or `array_value`",
        "numbers are written as text",
      );
      return () => ({});
  }
}

function compileText(text: string, path: string, issues: Issues): ReadValue {
  try {
    const format = compileTextFormat(text);
    return (exchange) => stringValue(format(exchange));
  } catch (error) {
    issues.add(path, messageOf(error), "see the command operators in Envoy's access log reference");
    return () => ({});
  }
}

function sizeOfAll(attributes: readonly Attribute[]): number {
  return attributes.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + sizeOf(value), 0);
}

function sizeOf(value: Value | undefined): number {
  const one = value?.value;
  switch (one?.case) {
    case "stringValue":
      return one.value.length + 4;
    case "kvlistValue":
      return sizeOfAll(one.value.values ?? []);
    case "arrayValue":
      return (one.value.values ?? []).reduce((sum, item) => sum + sizeOf(item), 0);
    default:
      return 4;
  }
}
