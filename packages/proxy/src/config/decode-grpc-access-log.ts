import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type {
  CommonGrpcAccessLogConfig,
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
} from "@weft/xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb";
import {
  type StreamAccessLogsMessage,
  StreamAccessLogsMessageSchema,
} from "@weft/xds/gen/envoy/service/accesslog/v3/als_pb";
import { sendGrpc } from "../filters/grpc-callout.ts";
import type { AccessLog } from "../layer/access-log.ts";
import type { Exchange } from "../layer/exchange.ts";
import { ExportBatch } from "../telemetry/export-batch.ts";
import type { CustomTag } from "../tracing/tracing-plan.ts";
import { type HttpEntry, httpEntry, type TcpEntry, tcpEntry } from "./access-log-entries.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeCustomTags } from "./decode-custom-tags.ts";
import { decodeGrpcService } from "./decode-grpc-service.ts";
import { durationMs } from "./decode-values.ts";
import { at } from "./issues.ts";
import { sharedBatch } from "./shared-batches.ts";

const path = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";
const timeoutMs = 10_000;
/** What an entry takes beside the texts of its request. */
const entryBytes = 384;

type Filter = ((exchange: Exchange) => boolean) | undefined;

/**
 * Requests to a gRPC access log service, in batches. Each batch is a stream of
 * its own, so that what did not arrive is known.
 *
 * @see envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig
 */
export function decodeHttpGrpcAccessLog(
  config: HttpGrpcAccessLogConfig,
  filter: Filter,
  place: string,
  context: DecodeContext,
): AccessLog {
  const { tags, batch } = decodeCommon<HttpEntry>(httpLogs, config.commonConfig, place, context);
  const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase());
  const logged = {
    request: lower(config.additionalRequestHeadersToLog),
    response: lower(config.additionalResponseHeadersToLog),
    trailers: lower(config.additionalResponseTrailersToLog),
  };
  return {
    log(exchange) {
      if (filter && !filter(exchange)) return;
      batch.add(httpEntry(exchange, tags, logged), entryBytes + exchange.requestHeaderBytes);
    },
  };
}

/** The same of connections. @see envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig */
export function decodeTcpGrpcAccessLog(
  config: TcpGrpcAccessLogConfig,
  filter: Filter,
  place: string,
  context: DecodeContext,
): AccessLog {
  const { tags, batch } = decodeCommon<TcpEntry>(tcpLogs, config.commonConfig, place, context);
  return {
    log(exchange) {
      if (filter && !filter(exchange)) return;
      batch.add(tcpEntry(exchange, tags), entryBytes);
    },
  };
}

type Entries = NonNullable<
  Exclude<MessageInitShape<typeof StreamAccessLogsMessageSchema>, StreamAccessLogsMessage>["logEntries"]
>;

const httpLogs = (logEntry: HttpEntry[]): Entries => ({ case: "httpLogs", value: { logEntry } });
const tcpLogs = (logEntry: TcpEntry[]): Entries => ({ case: "tcpLogs", value: { logEntry } });

function decodeCommon<T extends HttpEntry | TcpEntry>(
  entriesOf: (entries: T[]) => Entries,
  common: CommonGrpcAccessLogConfig | undefined,
  place: string,
  context: DecodeContext,
): { readonly tags: readonly CustomTag[]; readonly batch: ExportBatch<T> } {
  const { issues, services } = context;
  const where = at(place, "common_config");
  const logName = common?.logName ?? "";
  if (logName === "") issues.add(at(where, "log_name"), "is empty", "name the log");
  const target = decodeGrpcService(common?.grpcService, timeoutMs, at(where, "grpc_service"), context);
  const tags = [...decodeCustomTags(common?.customTags ?? [], at(where, "custom_tags"), context).values()];
  const flushIntervalMs = Math.max(1, durationMs(common?.bufferFlushInterval, 1_000));
  const batchBytes = common?.bufferSizeBytes ?? 16_384;
  const { id, cluster } = services.node;
  const identifier = { node: { id, cluster }, logName };
  const make = () =>
    new ExportBatch<T>({
      clock: services.clock,
      flushIntervalMs,
      batchBytes,
      written: services.stats.counter("access_logs.grpc_access_log.logs_written"),
      dropped: services.stats.counter("access_logs.grpc_access_log.logs_dropped"),
      send(entries, done) {
        const logEntries = entriesOf([...entries]);
        const message = create(StreamAccessLogsMessageSchema, { identifier, logEntries });
        const bytes = toBinary(StreamAccessLogsMessageSchema, message);
        sendGrpc(services.callouts, target, path, bytes, done);
      },
    });
  const identity = [path, entriesOf([]).case, logName, target, flushIntervalMs, batchBytes];
  return { tags, batch: sharedBatch(context, identity, make) };
}
