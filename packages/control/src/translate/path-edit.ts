import { create } from "@bufbuild/protobuf";
import {
  type RegexMatchAndSubstitute,
  RegexMatchAndSubstituteSchema,
} from "@weft/xds/gen/envoy/type/matcher/v3/regex_pb";
import type { PathEdit } from "../model/routing.ts";
import { escapeRegex } from "./string-match.ts";

/**
 * The fields that change a path by its elements; the query stays. A prefix is
 * replaced with what it matched, except by nothing: what is left of the path
 * must begin with a slash, which a prefix cannot say.
 */
export function pathEditFields(edit: PathEdit | undefined): {
  readonly prefixRewrite?: string;
  readonly regexRewrite?: RegexMatchAndSubstitute;
} {
  if (!edit) return {};
  if (edit.kind === "full") return { regexRewrite: substitution("^/.*$", edit.path) };
  const replacement = edit.replacement.replace(/\/$/, "");
  if (replacement !== "") {
    // Where every path matches, a slash is what was matched.
    return { prefixRewrite: edit.matched === "" ? `${replacement}/` : replacement };
  }
  return edit.matched === "" ? {} : { regexRewrite: substitution(`^${escapeRegex(edit.matched)}/?`, "/") };
}

function substitution(regex: string, text: string): RegexMatchAndSubstitute {
  return create(RegexMatchAndSubstituteSchema, {
    pattern: { regex },
    substitution: text.replaceAll("\\", "\\\\"),
  });
}
