import type { MatchPredicate } from "@weft/xds/gen/envoy/config/common/matcher/v3/matcher_pb";
import type { HeaderMatcher } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import { HeaderList } from "../layer/header-list.ts";
import type { ResponseHead } from "../layer/message.ts";
import { decodeHeaderMatcher } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

type AnswerPredicate = (head: ResponseHead) => boolean;

const maxDepth = 16;

/**
 * Decodes which answers are errors of their endpoint: conditions on the head of
 * an answer, `:status` among its fields, and what is made of them by and, or, not.
 *
 * @see envoy.config.common.matcher.v3.MatchPredicate
 */
export function decodeErrorMatcher(
  { rule }: MatchPredicate,
  path: string,
  issues: Issues,
  depth = 0,
): AnswerPredicate {
  if (depth > maxDepth) {
    issues.add(path, `is nested more than ${maxDepth} deep`);
    return () => false;
  }
  const each = (rules: readonly MatchPredicate[], place: string) =>
    rules.map((one, i) => decodeErrorMatcher(one, `${at(path, place)}.rules[${i}]`, issues, depth + 1));
  switch (rule.case) {
    case "orMatch": {
      const any = each(rule.value.rules, "or_match");
      return (head) => any.some((matches) => matches(head));
    }
    case "andMatch": {
      const all = each(rule.value.rules, "and_match");
      return (head) => all.every((matches) => matches(head));
    }
    case "notMatch": {
      const matches = decodeErrorMatcher(rule.value, at(path, "not_match"), issues, depth + 1);
      return (head) => !matches(head);
    }
    case "anyMatch":
      return () => rule.value;
    case "httpResponseHeadersMatch": {
      const all = rule.value.headers.map((matcher, i) =>
        fieldPredicate(matcher, `${at(path, "http_response_headers_match")}.headers[${i}]`, issues),
      );
      return (head) => all.every((matches) => matches(head));
    }
    default:
      issues.add(path, "is not implemented by this proxy", "judge by `http_response_headers_match`");
      return () => false;
  }
}

/** Conditions on header fields are compiled for requests: the answer's fields stand in one. */
function fieldPredicate(matcher: HeaderMatcher, path: string, issues: Issues): AnswerPredicate {
  const matches = decodeHeaderMatcher(matcher, path, issues);
  const among = (headers: HeaderList) =>
    matches({ method: "", path: "", authority: "", scheme: "http", headers, upgrade: "" });
  if (matcher.name !== ":status") return ({ headers }) => among(headers);
  return ({ status }) => among(new HeaderList([":status", `${status}`]));
}
