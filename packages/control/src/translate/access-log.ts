import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { type AccessLog, AccessLogSchema } from "@weft/xds/gen/envoy/config/accesslog/v3/accesslog_pb";
import { FileAccessLogSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb";
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from "@weft/xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb";
import type { MeshOptions } from "../model/mesh.ts";
import { pack } from "./messages.ts";

/**
 * One line per request or connection in the mesh's format; none when it is
 * switched off. The standard streams are written to as they are, not opened by
 * path, which fails where a supervisor connects them to a socket.
 */
export function accessLogs({ defaults }: MeshOptions): AccessLog[] {
  if (!defaults.accessLog) return [];
  const { path, format } = defaults.accessLog;
  const value = {
    format: {
      case: "textFormatSource" as const,
      value: { specifier: { case: "inlineString" as const, value: format } },
    },
  };
  const accessLogFormat = { case: "logFormat" as const, value };
  switch (path) {
    case "/dev/stdout":
      return [accessLog("envoy.access_loggers.stdout", pack(StdoutAccessLogSchema, { accessLogFormat }))];
    case "/dev/stderr":
      return [accessLog("envoy.access_loggers.stderr", pack(StderrAccessLogSchema, { accessLogFormat }))];
    default:
      return [accessLog("envoy.access_loggers.file", pack(FileAccessLogSchema, { path, accessLogFormat }))];
  }
}

function accessLog(name: string, value: Any): AccessLog {
  return create(AccessLogSchema, { name, configType: { case: "typedConfig", value } });
}
