import {
  type Config,
  ConfigSchema,
  type Config_KeyValuePair as KeyValuePair,
  type Config_Rule as Rule,
  Config_ValueEncode as ValueEncode,
  Config_ValueType as ValueType,
} from "@weft/xds/gen/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb";
import { findCookie } from "../../filters/find-cookie.ts";
import {
  createHeaderToMetadataFilter,
  type HeaderToMetadataPlan,
  isUsable,
  type MetadataRule,
  type MetadataTarget,
} from "../../filters/header-to-metadata.ts";
import type { MetadataValue } from "../../layer/dynamic-metadata.ts";
import { compileSubstitution } from "../../route/string-matcher.ts";
import { compiled, regexText } from "../decode-values.ts";
import { at, type Issues } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

const defaultNamespace = "envoy.filters.http.header_to_metadata";

export const headerToMetadataFilter = httpFilterType(
  ConfigSchema,
  (message, { name, path }, { issues }) =>
    createHeaderToMetadataFilter(decodePlan(message, path, issues), name),
  routeConfigType(ConfigSchema, (message, path, { issues }) => {
    if (message.requestRules.length + message.responseRules.length === 0) {
      issues.add(path, "needs `request_rules` or `response_rules`");
    }
    return decodePlan(message, path, issues);
  }),
);

function decodePlan(
  { requestRules, responseRules }: Config,
  path: string,
  issues: Issues,
): HeaderToMetadataPlan {
  const decode = (rules: readonly Rule[], field: string) =>
    rules.map((rule, i) => decodeRule(rule, `${at(path, field)}[${i}]`, issues));
  return {
    request: decode(requestRules, "request_rules"),
    response: decode(responseRules, "response_rules"),
  };
}

function decodeRule(rule: Rule, path: string, issues: Issues): MetadataRule {
  const { cookie, remove, onHeaderPresent, onHeaderMissing } = rule;
  const header = rule.header.toLowerCase();
  if ((header === "") === (cookie === "")) issues.add(path, "needs either `header` or `cookie`");
  if (cookie !== "" && remove) issues.add(at(path, "remove"), "a cookie cannot be removed");
  if (!onHeaderPresent && !onHeaderMissing) {
    issues.add(path, "needs `on_header_present` or `on_header_missing`");
  }
  const missing = at(path, "on_header_missing");
  if (onHeaderMissing?.value === "") issues.add(at(missing, "value"), "is empty", "give the value to note");
  return {
    find(headers) {
      if (cookie !== "") {
        const cookies = headers.getAll("cookie")?.replaceAll(",", ";");
        return cookies === undefined ? undefined : findCookie(cookies, cookie) || undefined;
      }
      const value = headers.getAll(header);
      if (remove && value !== undefined) headers.remove(header);
      return value;
    },
    onPresent: onHeaderPresent && decodeTarget(onHeaderPresent, at(path, "on_header_present"), issues),
    onMissing: onHeaderMissing && decodeTarget(onHeaderMissing, missing, issues),
  };
}

function decodeTarget(pair: KeyValuePair, path: string, issues: Issues): MetadataTarget {
  const { metadataNamespace, key, value, type, encode, regexValueRewrite } = pair;
  if (key === "") issues.add(at(path, "key"), "is empty", "name the metadata's key");
  if (value !== "" && regexValueRewrite) {
    issues.add(at(path, "regex_value_rewrite"), "excludes `value`: it would rewrite what is not used");
  }
  if (type === ValueType.PROTOBUF_VALUE) {
    issues.add(at(path, "type"), "PROTOBUF_VALUE is not implemented by this proxy", "STRING or NUMBER");
  }
  const rewrite = regexValueRewrite
    ? compiled(
        () =>
          compileSubstitution(
            regexText(regexValueRewrite.pattern, at(path, "regex_value_rewrite.pattern"), issues),
            regexValueRewrite.substitution,
          ),
        (text: string) => text,
        at(path, "regex_value_rewrite"),
        issues,
      )
    : undefined;
  const isNumber = type === ValueType.NUMBER;
  const isBase64 = encode === ValueEncode.BASE64;
  return {
    namespace: metadataNamespace || defaultNamespace,
    key,
    convert(found) {
      const text = value !== "" ? value : (rewrite?.(found) ?? found);
      if (!isUsable(text)) return undefined;
      const decoded = isBase64 ? decodeBase64(text) : text;
      return decoded === undefined || !isNumber ? decoded : numberOf(decoded);
    },
  };
}

/** Padding may be missing. */
function decodeBase64(text: string): string | undefined {
  const [digits = ""] = /^[A-Za-z0-9+/]*(?=={0,2}$)/.exec(text) ?? [];
  if (digits === "" || digits.length % 4 === 1) return undefined;
  return Buffer.from(text, "base64").toString("utf8");
}

function numberOf(text: string): MetadataValue | undefined {
  const trimmed = text.trim();
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : undefined;
}
