import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import {
  type AccessLog,
  type AccessLogFilterSchema,
  AccessLogSchema,
} from "@weft/xds/gen/envoy/config/accesslog/v3/accesslog_pb";
import { ApiVersion } from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import type { GrpcServiceSchema } from "@weft/xds/gen/envoy/config/core/v3/grpc_service_pb";
import { FileAccessLogSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb";
import { ExpressionFilterSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb";
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from "@weft/xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb";
import { OpenTelemetryAccessLogConfigSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb";
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from "@weft/xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb";
import type { AccessLogProvider, AccessLogRule, FileLogProvider } from "../model/signals.ts";
import { pack } from "./messages.ts";
import { outboundClusterName } from "./names.ts";

type Filter = MessageInitShape<typeof AccessLogFilterSchema>;

/** The loggers of a listener; those for requests are not for connections, and the other way round. */
export function accessLogs(rules: readonly AccessLogRule[], protocol: "http" | "tcp"): AccessLog[] {
  return rules.flatMap(({ provider, filter }) => {
    const logger = loggerOf(provider, protocol);
    if (!logger) return [];
    const [name, value] = logger;
    return create(AccessLogSchema, {
      name,
      configType: { case: "typedConfig", value },
      ...(filter === "" ? {} : { filter: expressionFilter(filter) }),
    });
  });
}

function expressionFilter(expression: string): Filter {
  const typedConfig = pack(ExpressionFilterSchema, { expression });
  return {
    filterSpecifier: {
      case: "extensionFilter",
      value: {
        name: "envoy.access_loggers.extension_filters.cel",
        configType: { case: "typedConfig", value: typedConfig },
      },
    },
  };
}

function loggerOf(
  provider: AccessLogProvider,
  protocol: "http" | "tcp",
): readonly [name: string, config: Any] | undefined {
  switch (provider.kind) {
    case "file":
      return fileLogger(provider);
    case "http-als": {
      if (protocol !== "http") return undefined;
      const config = pack(HttpGrpcAccessLogConfigSchema, {
        commonConfig: common(provider),
        additionalRequestHeadersToLog: [...provider.requestHeaders],
        additionalResponseHeadersToLog: [...provider.responseHeaders],
        additionalResponseTrailersToLog: [...provider.responseTrailers],
      });
      return ["envoy.access_loggers.http_grpc", config];
    }
    case "tcp-als":
      if (protocol !== "tcp") return undefined;
      return [
        "envoy.access_loggers.tcp_grpc",
        pack(TcpGrpcAccessLogConfigSchema, { commonConfig: common(provider) }),
      ];
    case "otel-log": {
      const values = provider.labels.map(({ name, value }) => ({
        key: name,
        value: { value: { case: "stringValue" as const, value } },
      }));
      const config = pack(OpenTelemetryAccessLogConfigSchema, {
        commonConfig: common(provider),
        disableBuiltinLabels: true,
        body: { value: { case: "stringValue", value: provider.text } },
        ...(values.length > 0 ? { attributes: { values } } : {}),
      });
      return ["envoy.access_loggers.open_telemetry", config];
    }
  }
}

function common(provider: Extract<AccessLogProvider, { host: string }>) {
  return {
    logName: provider.logName,
    grpcService: grpcService(provider),
    transportApiVersion: ApiVersion.V3,
  };
}

/** A service of the mesh that is called by gRPC. */
export function grpcService({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): Exclude<MessageInitShape<typeof GrpcServiceSchema>, { $typeName: string }> {
  const value = { clusterName: outboundClusterName(port, "", host), authority: host };
  return { targetSpecifier: { case: "envoyGrpc", value } };
}

/**
 * The standard streams are written to as they are, not opened by path, which
 * fails where a supervisor connects them to a socket.
 */
function fileLogger({ path, format, omitsEmpty }: FileLogProvider): readonly [name: string, config: Any] {
  const value = {
    format:
      typeof format === "string"
        ? {
            case: "textFormatSource" as const,
            value: { specifier: { case: "inlineString" as const, value: format } },
          }
        : { case: "jsonFormat" as const, value: format as JsonObject },
    omitEmptyValues: omitsEmpty,
  };
  const accessLogFormat = { case: "logFormat" as const, value };
  switch (path) {
    case "/dev/stdout":
      return ["envoy.access_loggers.stdout", pack(StdoutAccessLogSchema, { accessLogFormat })];
    case "/dev/stderr":
      return ["envoy.access_loggers.stderr", pack(StderrAccessLogSchema, { accessLogFormat })];
    default:
      return ["envoy.access_loggers.file", pack(FileAccessLogSchema, { path, accessLogFormat })];
  }
}
