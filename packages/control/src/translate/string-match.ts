import type { MessageInitShape } from "@bufbuild/protobuf";
import type { StringMatcherSchema } from "@weft/xds/gen/envoy/type/matcher/v3/string_pb";
import type { ValueMatcher } from "../model/routing.ts";

export type StringMatch = Exclude<MessageInitShape<typeof StringMatcherSchema>, { $typeName: string }>;

/** Istio's value syntax: `a`, `a*`, `*a`, or `*` for any value that is there. */
export function wildcardMatch(
  value: string,
  options: { prefix?: string; ignoreCase?: boolean } = {},
): StringMatch {
  const { prefix = "", ignoreCase = false } = options;
  if (value === "*") return { matchPattern: { case: "safeRegex", value: { regex: ".+" } } };
  if (value.startsWith("*")) return { matchPattern: { case: "suffix", value: value.slice(1) }, ignoreCase };
  if (value.endsWith("*")) {
    return { matchPattern: { case: "prefix", value: prefix + value.slice(0, -1) }, ignoreCase };
  }
  return { matchPattern: { case: "exact", value: prefix + value }, ignoreCase };
}

/** A matcher of a VirtualService. */
export function stringMatch({ kind, value }: ValueMatcher): StringMatch {
  return kind === "regex" ? regexMatch(value) : { matchPattern: { case: kind, value } };
}

export function regexMatch(regex: string): StringMatch {
  return { matchPattern: { case: "safeRegex", value: { regex } } };
}

/** `*` as "anything but a slash", everything else literally. */
export function segmentPattern(value: string): string {
  return value.split("*").map(escapeRegex).join("[^/]*");
}

export function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
