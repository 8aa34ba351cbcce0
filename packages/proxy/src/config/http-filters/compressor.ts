import {
  type Compressor_CommonDirectionConfig as CommonDirection,
  type Compressor,
  type CompressorPerRoute,
  CompressorPerRouteSchema,
  CompressorSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/compressor/v3/compressor_pb";
import {
  type CompressedDirection,
  type CompressorPlan,
  type CompressorRouteConfig,
  createCompressorFilter,
} from "../../filters/compressor.ts";
import { compressorStats, responseCompressorStats } from "../../filters/compressor-stats.ts";
import { decodeCompressorLibrary, decodeFeatureFlag } from "../decode-compression.ts";
import type { DecodeContext } from "../decode-context.ts";
import { at } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

const defaultMinBytes = 30;
const defaultContentTypes: readonly string[] = [
  "application/javascript",
  "application/json",
  "application/xhtml+xml",
  "image/svg+xml",
  "text/css",
  "text/html",
  "text/plain",
  "text/xml",
];

export const compressorFilter = httpFilterType(
  CompressorSchema,
  (message, { name, statPrefix, path }, context) => {
    const { issues, services } = context;
    const library = decodeCompressorLibrary(
      message.compressorLibrary,
      at(path, "compressor_library"),
      issues,
    );
    if (!library) return undefined;
    const plan: CompressorPlan = { library, ...decodeDirections(message, context) };
    const prefix = `compressor.${library.name}.${library.encoding}.`;
    return createCompressorFilter(
      plan,
      {
        requestStats: plan.request && compressorStats(services.stats, statPrefix, `${prefix}request.`),
        responseStats: responseCompressorStats(
          services.stats,
          statPrefix,
          prefix,
          message.responseDirectionConfig ? "response." : "",
        ),
      },
      name,
    );
  },
  routeConfigType(CompressorPerRouteSchema, decodeRoute),
);

/** What the response direction leaves out, the older fields of the filter say. */
function decodeDirections(message: Compressor, context: DecodeContext): Omit<CompressorPlan, "library"> {
  const { requestDirectionConfig: request, responseDirectionConfig: response } = message;
  const older = {
    enabled: message.runtimeEnabled,
    minContentLength: message.contentLength,
    contentType: message.contentType,
  };
  return {
    request: request && decodeDirection(request.commonConfig, context),
    response: decodeDirection(response ? response.commonConfig : older, context),
    disablesOnEtag: response ? response.disableOnEtagHeader : message.disableOnEtagHeader,
    removesAcceptEncoding: response
      ? response.removeAcceptEncodingHeader
      : message.removeAcceptEncodingHeader,
    uncompressibleStatuses: new Set(response?.uncompressibleResponseCodes),
    choosesFirst: message.chooseFirst,
  };
}

function decodeDirection(
  common: Pick<CommonDirection, "enabled" | "minContentLength" | "contentType"> | undefined,
  { runtime }: DecodeContext,
): CompressedDirection {
  const types = common && common.contentType.length > 0 ? common.contentType : defaultContentTypes;
  return {
    isEnabled: decodeFeatureFlag(common?.enabled, runtime),
    minBytes: common?.minContentLength ?? defaultMinBytes,
    contentTypes: new Set(types.map((type) => type.toLowerCase())),
  };
}

function decodeRoute(
  { override }: CompressorPerRoute,
  path: string,
  { issues }: DecodeContext,
): CompressorRouteConfig | undefined {
  switch (override.case) {
    case "disabled":
      if (override.value) return "disabled";
      issues.add(at(path, "disabled"), "is false", "remove the entry, or give `overrides`");
      return undefined;
    case "overrides": {
      const { responseDirectionConfig, compressorLibrary } = override.value;
      const place = at(path, "overrides.compressor_library");
      return {
        removesAcceptEncoding: responseDirectionConfig?.removeAcceptEncodingHeader,
        library: compressorLibrary && decodeCompressorLibrary(compressorLibrary, place, issues),
      };
    }
    default:
      issues.add(path, "needs `disabled` or `overrides`");
      return undefined;
  }
}
