import {
  AccessLogService,
  type StreamAccessLogsMessage,
  StreamAccessLogsMessageSchema,
} from "@weft/xds/gen/envoy/service/accesslog/v3/als_pb";
import { decodeRequest, type GrpcRoute, methodPath } from "@weft/xds/grpc/grpc-route";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { type MetricsLog, parseMetricsLogName } from "@weft/xds/metrics-log-name";
import type { LoggedRequests } from "../observe/logged-requests.ts";
import { type AccessLogMetrics, reporterOf } from "./access-log-metrics.ts";

/**
 * `envoy.service.accesslog.v3.AccessLogService`: what the sidecar logs is
 * counted, and shown to whoever watches. The first message of a stream names its log, which tells the side of
 * the call; a log of another name is refused.
 */
export function accessLogRoute(metrics: AccessLogMetrics, requests: LoggedRequests): GrpcRoute {
  return {
    path: methodPath(AccessLogService.method.streamAccessLogs),
    open(call) {
      let log: MetricsLog | undefined;
      return {
        onMessage(bytes) {
          const message = decodeRequest(StreamAccessLogsMessageSchema, bytes);
          log ??= logOf(message);
          const { logEntries } = message;
          if (logEntries.case === "httpLogs") {
            for (const entry of logEntries.value.logEntry) {
              metrics.countRequest(log, entry);
              requests.addRequest(reporterOf(log), entry);
            }
          } else if (logEntries.case === "tcpLogs") {
            for (const entry of logEntries.value.logEntry) {
              metrics.countConnection(log, entry);
              requests.addConnection(reporterOf(log), entry);
            }
          }
        },
        onHalfClose: () => call.end(),
        onClose() {},
      };
    },
  };
}

function logOf({ identifier }: StreamAccessLogsMessage): MetricsLog {
  const name = identifier?.logName ?? "";
  const log = parseMetricsLogName(name);
  if (log) return log;
  throw new GrpcError(grpcCode.invalidArgument, `there is no log "${name.slice(0, 80)}" here`);
}
