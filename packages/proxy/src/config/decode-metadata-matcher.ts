import type { MetadataMatcher } from "@weft/xds/gen/envoy/type/matcher/v3/metadata_pb";
import type { DoubleMatcher } from "@weft/xds/gen/envoy/type/matcher/v3/number_pb";
import type { ValueMatcher } from "@weft/xds/gen/envoy/type/matcher/v3/value_pb";
import type { MetadataTest } from "../filters/rbac-plan.ts";
import type { MetadataValue } from "../layer/dynamic-metadata.ts";
import { decodeStringMatcher } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

type ValueTest = (value: MetadataValue | undefined) => boolean;

/** Lists of lists end somewhere. */
const maxDepth = 16;

/** A test of one value in dynamic metadata, nested as deep as its path says. */
export function decodeMetadataMatcher(matcher: MetadataMatcher, path: string, issues: Issues): MetadataTest {
  const keys = matcher.path.map((segment) => (segment.segment.case === "key" ? segment.segment.value : ""));
  if (matcher.filter === "") issues.add(at(path, "filter"), "is empty", "name the filter that set the value");
  if (keys.length === 0) issues.add(at(path, "path"), "is empty", "name the key of the value");
  if (keys.includes("")) issues.add(at(path, "path"), "has an empty key");
  const matches = decodeValueMatcher(matcher.value, at(path, "value"), issues, 0);
  return {
    filter: matcher.filter,
    keys,
    matches: matcher.invert ? (value) => !matches(value) : matches,
  };
}

function decodeValueMatcher(
  matcher: ValueMatcher | undefined,
  path: string,
  issues: Issues,
  depth: number,
): ValueTest {
  if (depth > maxDepth) {
    issues.add(path, `is nested deeper than ${maxDepth}`);
    return () => false;
  }
  const pattern = matcher?.matchPattern;
  switch (pattern?.case) {
    case "nullMatch":
      return (value) => value === null;
    case "doubleMatch":
      return decodeDouble(pattern.value, at(path, "double_match"), issues);
    case "stringMatch": {
      const matches = decodeStringMatcher(pattern.value, at(path, "string_match"), issues);
      return (value) => typeof value === "string" && matches(value);
    }
    case "boolMatch": {
      const expected = pattern.value;
      return (value) => value === expected;
    }
    case "presentMatch": {
      // As Envoy: what is absent never matches, not even where absence is asked for; `invert` does that.
      const expected = pattern.value;
      return (value) => expected && value !== undefined;
    }
    case "listMatch": {
      const place = at(path, "list_match");
      const one = pattern.value.matchPattern;
      if (one.case !== "oneOf") issues.add(place, "needs `one_of`");
      const inner = one.case === "oneOf" ? one.value : undefined;
      const matches = inner ? decodeValueMatcher(inner, at(place, "one_of"), issues, depth + 1) : () => false;
      return (value) => Array.isArray(value) && value.some(matches);
    }
    case "orMatch": {
      const place = at(path, "or_match.value_matchers");
      const { valueMatchers } = pattern.value;
      if (valueMatchers.length < 2) issues.add(place, "needs at least two matchers");
      const tests = valueMatchers.map((one, i) =>
        decodeValueMatcher(one, `${place}[${i}]`, issues, depth + 1),
      );
      return (value) => tests.some((test) => test(value));
    }
    default:
      issues.add(
        path,
        "needs one of `null_match`, `double_match`, `string_match`, `bool_match`, `present_match`, `list_match`, `or_match`",
      );
      return () => false;
  }
}

function decodeDouble(matcher: DoubleMatcher, path: string, issues: Issues): ValueTest {
  const pattern = matcher.matchPattern;
  switch (pattern.case) {
    case "exact": {
      const expected = pattern.value;
      return (value) => value === expected;
    }
    case "range": {
      const { start, end } = pattern.value;
      return (value) => typeof value === "number" && value >= start && value < end;
    }
    default:
      issues.add(path, "needs `exact` or `range`");
      return () => false;
  }
}
