import type { JsonObject } from "@bufbuild/protobuf";
import { messageOf } from "@weft/base/errors";
import type { AccessLog as AccessLogMessage } from "@weft/xds/gen/envoy/config/accesslog/v3/accesslog_pb";
import type { SubstitutionFormatString } from "@weft/xds/gen/envoy/config/core/v3/substitution_format_string_pb";
import type { FileAccessLog } from "@weft/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb";
import type {
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
} from "@weft/xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb";
import type { OpenTelemetryAccessLogConfig } from "@weft/xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb";
import type {
  StderrAccessLog,
  StdoutAccessLog,
} from "@weft/xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb";
import type { AccessLog } from "../layer/access-log.ts";
import type { AccessLogFormat, AccessLogSink } from "./access-log-plan.ts";
import { decodeAccessLogFilter } from "./decode-access-log-filter.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHttpGrpcAccessLog, decodeTcpGrpcAccessLog } from "./decode-grpc-access-log.ts";
import { decodeOtelAccessLog } from "./decode-otel-access-log.ts";
import { readDataSource } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at } from "./issues.ts";

/** Decodes access loggers. */
export function decodeAccessLogs(
  logs: readonly AccessLogMessage[],
  path: string,
  context: DecodeContext,
): readonly AccessLog[] {
  return logs.flatMap((log, i) => {
    const place = `${path}[${i}]`;
    if (log.configType.case !== "typedConfig") {
      context.issues.add(place, "needs `typed_config`");
      return [];
    }
    const message = unpackAny(log.configType.value);
    if (!message) return [];
    const config = at(place, "typed_config");
    const filter = log.filter && decodeAccessLogFilter(log.filter, at(place, "filter"), context);
    switch (message.$typeName) {
      case "envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig":
        return [decodeOtelAccessLog(message as OpenTelemetryAccessLogConfig, filter, config, context)];
      case "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig":
        return [decodeHttpGrpcAccessLog(message as HttpGrpcAccessLogConfig, filter, config, context)];
      case "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig":
        return [decodeTcpGrpcAccessLog(message as TcpGrpcAccessLogConfig, filter, config, context)];
    }
    const target = decodeTarget(message, config, context);
    if (!target) {
      context.issues.add(config, `${message.$typeName} is not an access logger`);
      return [];
    }
    try {
      return [context.factories.accessLog({ ...target, filter })];
    } catch (error) {
      context.issues.add(
        config,
        messageOf(error),
        "see the command operators in Envoy's access log reference",
      );
      return [];
    }
  });
}

function decodeTarget(
  message: { readonly $typeName: string },
  path: string,
  context: DecodeContext,
): { readonly sink: AccessLogSink; readonly format: AccessLogFormat } | undefined {
  switch (message.$typeName) {
    case "envoy.extensions.access_loggers.file.v3.FileAccessLog": {
      const file = message as FileAccessLog;
      if (file.path === "") context.issues.add(at(path, "path"), "is empty", "name a file, or /dev/stdout");
      return { sink: fileSink(file.path), format: decodeFileFormat(file, path, context) };
    }
    case "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog":
    case "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": {
      const stream = message as StdoutAccessLog | StderrAccessLog;
      const format = stream.accessLogFormat;
      return {
        sink: { kind: message.$typeName.includes("Stdout") ? "stdout" : "stderr" },
        format:
          format.case === "logFormat"
            ? decodeFormat(format.value, at(path, "log_format"), context)
            : { kind: "default" },
      };
    }
    default:
      return undefined;
  }
}

function fileSink(path: string): AccessLogSink {
  if (path === "/dev/stdout") return { kind: "stdout" };
  return path === "/dev/stderr" ? { kind: "stderr" } : { kind: "file", path };
}

function decodeFileFormat(file: FileAccessLog, path: string, context: DecodeContext): AccessLogFormat {
  const format = file.accessLogFormat;
  switch (format.case) {
    case "format":
      return format.value === ""
        ? { kind: "default" }
        : { kind: "text", format: format.value, omitEmptyValues: false };
    case "jsonFormat":
    case "typedJsonFormat":
      return { kind: "json", fields: format.value, omitEmptyValues: false };
    case "logFormat":
      return decodeFormat(format.value, at(path, "log_format"), context);
    default:
      return { kind: "default" };
  }
}

/** A format of lines or bodies, not yet compiled. */
export function decodeFormat(
  message: SubstitutionFormatString,
  path: string,
  context: DecodeContext,
): AccessLogFormat {
  const { format, omitEmptyValues } = message;
  switch (format.case) {
    case "textFormat":
      return { kind: "text", format: format.value, omitEmptyValues };
    case "textFormatSource": {
      const text = readDataSource(format.value, at(path, "text_format_source"), context.issues);
      return { kind: "text", format: text?.toString("utf8") ?? "", omitEmptyValues };
    }
    case "jsonFormat":
      return { kind: "json", fields: format.value as JsonObject, omitEmptyValues };
    default:
      context.issues.add(path, "needs `text_format_source` or `json_format`");
      return { kind: "default" };
  }
}
