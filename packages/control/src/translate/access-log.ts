import { create } from "@bufbuild/protobuf";
import { type AccessLog, AccessLogSchema } from "@weft/xds/gen/envoy/config/accesslog/v3/accesslog_pb";
import { FileAccessLogSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb";
import type { MeshOptions } from "../model/mesh.ts";
import { pack } from "./messages.ts";

/** One line per request or connection in the mesh's format; none when it is switched off. */
export function accessLogs({ defaults }: MeshOptions): AccessLog[] {
  if (!defaults.accessLog) return [];
  const { path, format } = defaults.accessLog;
  const config = pack(FileAccessLogSchema, {
    path,
    accessLogFormat: {
      case: "logFormat",
      value: {
        format: { case: "textFormatSource", value: { specifier: { case: "inlineString", value: format } } },
      },
    },
  });
  return [
    create(AccessLogSchema, {
      name: "envoy.access_loggers.file",
      configType: { case: "typedConfig", value: config },
    }),
  ];
}
