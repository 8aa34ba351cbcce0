import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { HttpFilterSchema } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";

export type HttpFilter = Exclude<MessageInitShape<typeof HttpFilterSchema>, { $typeName: string }>;

export function httpFilter(name: string, config: Any): HttpFilter {
  return { name, configType: { case: "typedConfig", value: config } };
}
