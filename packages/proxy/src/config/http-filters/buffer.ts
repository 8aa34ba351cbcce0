import {
  type Buffer as BufferMessage,
  BufferPerRouteSchema,
  BufferSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/buffer/v3/buffer_pb";
import { createBufferFilter } from "../../filters/buffer.ts";
import { at, type Issues } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

export const bufferFilter = httpFilterType(
  BufferSchema,
  (message, { name, path }, { issues }) => createBufferFilter(decodeMaxBytes(message, path, issues), name),
  routeConfigType(BufferPerRouteSchema, ({ override }, path, { issues }) => {
    switch (override.case) {
      case "buffer":
        return decodeMaxBytes(override.value, at(path, "buffer"), issues);
      case "disabled":
        if (override.value) return "disabled";
        issues.add(at(path, "disabled"), "is false", "remove the entry, or give a `buffer`");
        return undefined;
      default:
        issues.add(path, "needs `disabled` or `buffer`");
        return undefined;
    }
  }),
);

function decodeMaxBytes({ maxRequestBytes = 0 }: BufferMessage, path: string, issues: Issues): number {
  if (maxRequestBytes === 0) issues.add(at(path, "max_request_bytes"), "is not set", "give a size above 0");
  return maxRequestBytes;
}
