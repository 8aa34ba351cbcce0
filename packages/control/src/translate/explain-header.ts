import type { MessageInitShape } from "@bufbuild/protobuf";
import { ComparisonFilter_Op } from "@weft/xds/gen/envoy/config/accesslog/v3/accesslog_pb";
import { HeaderValueOption_HeaderAppendAction as Append } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { LocalReplyConfigSchema } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import type { ExplainHeader, MeshOptions } from "../model/mesh-options.ts";
import type { ClientFeatures } from "./client-features.ts";

/** In an answer that a data plane makes itself: flags, details, the rule that decided, and its line. */
export const explainHeaderName = "x-weft-explain";

/** Who is at the other end of a connection manager. */
export type Audience = "application" | "member" | "anybody";

type LocalReplyFields = { readonly localReplyConfig?: MessageInitShape<typeof LocalReplyConfigSchema> };

const audiences: Readonly<Record<ExplainHeader, readonly Audience[]>> = {
  off: [],
  mesh: ["application", "member"],
  everywhere: ["application", "member", "anybody"],
};

/** Whether such callers are told what decided. */
export function isExplainedTo(
  audience: Audience,
  { defaults }: MeshOptions,
  features: ClientFeatures,
): boolean {
  return features.explainsReplies && audiences[defaults.explainHeader].includes(audience);
}

/** The field on every answer from here that refuses or fails, for callers who may see it. */
export function explainedReplies(
  audience: Audience,
  options: MeshOptions,
  features: ClientFeatures,
): LocalReplyFields {
  if (!isExplainedTo(audience, options, features)) return {};
  const comparison = { op: ComparisonFilter_Op.GE, value: { defaultValue: 400, runtimeKey: "weft.explain" } };
  const header = { key: explainHeaderName, value: "%DYNAMIC_METADATA(weft.explain:text)%" };
  return {
    localReplyConfig: {
      mappers: [
        {
          filter: { filterSpecifier: { case: "statusCodeFilter", value: { comparison } } },
          headersToAdd: [{ header, appendAction: Append.OVERWRITE_IF_EXISTS_OR_ADD }],
        },
      ],
    },
  };
}
