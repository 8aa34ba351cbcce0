import { messageOf } from "@weft/base/errors";
import type { SubstitutionFormatString } from "@weft/xds/gen/envoy/config/core/v3/substitution_format_string_pb";
import type {
  LocalReplyConfig,
  ResponseMapper,
} from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import type { BodyFormat, LocalReplyMapper, LocalReplyPlan } from "../layer/local-reply-plan.ts";
import { oneLevel } from "../route/header-edits.ts";
import { decodeFormat } from "./decode-access-log.ts";
import { decodeAccessLogFilter } from "./decode-access-log-filter.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderEdit } from "./decode-header-edits.ts";
import { readDataSource } from "./decode-values.ts";
import { at } from "./issues.ts";

export function decodeLocalReplies(
  config: LocalReplyConfig | undefined,
  path: string,
  context: DecodeContext,
): LocalReplyPlan | undefined {
  if (!config) return undefined;
  return {
    mappers: config.mappers.map((mapper, i) => decodeMapper(mapper, `${at(path, "mappers")}[${i}]`, context)),
    format: decodeBodyFormat(config.bodyFormat, at(path, "body_format"), context),
  };
}

function decodeMapper(mapper: ResponseMapper, path: string, context: DecodeContext): LocalReplyMapper {
  const { issues } = context;
  const { filter, statusCode, body, headersToAdd } = mapper;
  if (!filter) issues.add(at(path, "filter"), "is missing", "say which answers this is for");
  if (statusCode !== undefined && (statusCode < 200 || statusCode > 599)) {
    issues.add(at(path, "status_code"), `${statusCode} is not a response status`, "200 to 599");
  }
  const edits = headersToAdd.map((option, i) =>
    decodeHeaderEdit(option, `${at(path, "headers_to_add")}[${i}]`, context),
  );
  return {
    matches: filter ? decodeAccessLogFilter(filter, at(path, "filter"), context) : () => false,
    status: statusCode,
    body: body && readDataSource(body, at(path, "body"), issues),
    edits: edits.length > 0 ? oneLevel([], edits) : undefined,
    format: decodeBodyFormat(mapper.bodyFormatOverride, at(path, "body_format_override"), context),
  };
}

/** How a body is made of what is known of an exchange; undefined leaves it as it is. */
export function decodeBodyFormat(
  message: SubstitutionFormatString | undefined,
  path: string,
  context: DecodeContext,
): BodyFormat | undefined {
  if (!message) return undefined;
  const format = decodeFormat(message, path, context);
  const contentType = message.contentType || (format.kind === "json" ? "application/json" : "text/plain");
  try {
    return { contentType, endsLine: format.kind === "json", render: context.factories.bodyFormat(format) };
  } catch (error) {
    context.issues.add(path, messageOf(error), "see the command operators in Envoy's access log reference");
    return undefined;
  }
}
