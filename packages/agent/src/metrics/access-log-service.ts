import { accessLogMetrics } from "@weft/xds/access-log-metrics";
import {
  AccessLogService,
  type StreamAccessLogsMessage,
  StreamAccessLogsMessageSchema,
} from "@weft/xds/gen/envoy/service/accesslog/v3/als_pb";
import { decodeRequest, type GrpcRoute, methodPath } from "@weft/xds/grpc/grpc-route";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { LoggedRequests } from "../observe/logged-requests.ts";
import type { AccessLogMetrics } from "./access-log-metrics.ts";

/**
 * `envoy.service.accesslog.v3.AccessLogService`: what the sidecar logs is
 * counted, and shown to whoever watches. The first message of a stream names its log, which tells the side of
 * the call; a log of another name is refused.
 */
export function accessLogRoute(metrics: AccessLogMetrics, requests: LoggedRequests): GrpcRoute {
  return {
    path: methodPath(AccessLogService.method.streamAccessLogs),
    open(call) {
      let reporter: "source" | "destination" | undefined;
      return {
        onMessage(bytes) {
          const message = decodeRequest(StreamAccessLogsMessageSchema, bytes);
          reporter ??= reporterOf(message);
          const { logEntries } = message;
          if (logEntries.case === "httpLogs") {
            for (const entry of logEntries.value.logEntry) {
              metrics.countRequest(reporter, entry);
              requests.addRequest(reporter, entry);
            }
          } else if (logEntries.case === "tcpLogs") {
            for (const entry of logEntries.value.logEntry) {
              metrics.countConnection(reporter, entry);
              requests.addConnection(reporter, entry);
            }
          }
        },
        onHalfClose: () => call.end(),
        onClose() {},
      };
    },
  };
}

function reporterOf({ identifier }: StreamAccessLogsMessage): "source" | "destination" {
  const { logNames } = accessLogMetrics;
  if (identifier?.logName === logNames.outbound) return "source";
  if (identifier?.logName === logNames.inbound) return "destination";
  throw new GrpcError(grpcCode.invalidArgument, `there is no log "${identifier?.logName ?? ""}" here`);
}
