import {
  type Decompressor_CommonDirectionConfig as CommonDirection,
  DecompressorSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/decompressor/v3/decompressor_pb";
import { decompressorStats } from "../../filters/compressor-stats.ts";
import { createDecompressorFilter, type DecompressedDirection } from "../../filters/decompressor.ts";
import { decodeDecompressorLibrary, decodeFeatureFlag } from "../decode-compression.ts";
import type { DecodeContext } from "../decode-context.ts";
import { at } from "../issues.ts";
import { httpFilterType } from "./http-filter-type.ts";

export const decompressorFilter = httpFilterType(
  DecompressorSchema,
  (message, { name, statPrefix, path }, context) => {
    const { issues, services } = context;
    const place = at(path, "decompressor_library");
    const library = decodeDecompressorLibrary(message.decompressorLibrary, place, issues);
    if (!library) return undefined;
    const { requestDirectionConfig: request, responseDirectionConfig: response } = message;
    const prefix = `decompressor.${library.name}.${library.encoding}.`;
    return createDecompressorFilter(
      {
        encoding: library.encoding,
        create: () => library.create(),
        maxRatio: library.maxRatio,
        request: decodeDirection(request?.commonConfig, context),
        response: decodeDirection(response?.commonConfig, context),
        advertises: request?.advertiseAcceptEncoding ?? true,
      },
      {
        request: decompressorStats(services.stats, statPrefix, `${prefix}request.`),
        response: decompressorStats(services.stats, statPrefix, `${prefix}response.`),
      },
      name,
    );
  },
);

function decodeDirection(
  common: CommonDirection | undefined,
  { runtime }: DecodeContext,
): DecompressedDirection {
  return {
    isEnabled: decodeFeatureFlag(common?.enabled, runtime),
    ignoresNoTransform: common?.ignoreNoTransformHeader ?? false,
  };
}
