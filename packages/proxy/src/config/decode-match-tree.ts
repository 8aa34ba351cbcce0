import type { Message } from "@bufbuild/protobuf";
import type { Ip } from "@weft/xds/gen/envoy/extensions/matching/input_matchers/ip/v3/ip_pb";
import type { TypedExtensionConfig } from "@weft/xds/gen/xds/core/v3/extension_pb";
import type {
  Matcher,
  Matcher_OnMatch as OnMatch,
  Matcher_MatcherList_Predicate as Predicate,
  Matcher_MatcherList_Predicate_SinglePredicate as SinglePredicate,
  Matcher_MatcherTree as TreeMessage,
} from "@weft/xds/gen/xds/type/matcher/v3/matcher_pb";
import type { StringMatcher } from "@weft/xds/gen/xds/type/matcher/v3/string_pb";
import { compileRange } from "../filters/address-range.ts";
import {
  everyOf,
  type MatchInput,
  type MatchTest,
  type MatchTree,
  matchExactly,
  matchList,
  matchLongestPrefix,
  negate,
  someOf,
  testInput,
} from "../matching/match-tree.ts";
import { compileStringMatcher, type StringPredicate } from "../route/string-matcher.ts";
import { decodeMatchBranches, type MatchBranches } from "./decode-match-branches.ts";
import { decodeMatchInput, type MatchSubject } from "./decode-match-inputs.ts";
import { compiled, decodeCidr } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, atKey, type Issues } from "./issues.ts";

/** Matchers and predicates nest; deeper than this is refused. */
const maxDepth = 32;

export interface MatchTreeDecoding<Action> {
  readonly subject: MatchSubject;
  /** Reads the message of an action; reports what is wrong with it. */
  readonly decodeAction: (message: Message, path: string) => Action | undefined;
  readonly issues: Issues;
  /** Is told what the matcher looks at. */
  readonly inputs?: Set<MatchInput>;
}

/**
 * Compiles a matcher of the unified matching API.
 *
 * @see xds.type.matcher.v3.Matcher
 */
export function decodeMatchTree<Action>(
  matcher: Matcher,
  path: string,
  decoding: MatchTreeDecoding<Action>,
  depth = 0,
): MatchTree<Action> {
  const { issues } = decoding;
  if (depth > maxDepth) {
    issues.add(path, `matchers are nested deeper than ${maxDepth}`);
    return () => undefined;
  }
  const { onNoMatch, matcherType } = matcher;
  const otherwise = onNoMatch && decodeOnMatch(onNoMatch, at(path, "on_no_match"), decoding, depth);
  switch (matcherType.case) {
    case "matcherList": {
      const { matchers } = matcherType.value;
      const place = at(path, "matcher_list.matchers");
      if (matchers.length === 0) issues.add(place, "is empty");
      const entries = matchers.map(({ predicate, onMatch }, i) => ({
        test: decodePredicate(predicate, at(`${place}[${i}]`, "predicate"), decoding, 0),
        onMatch: decodeOnMatch(onMatch, at(`${place}[${i}]`, "on_match"), decoding, depth),
      }));
      return matchList(entries, otherwise);
    }
    case "matcherTree":
      return decodeTree(matcherType.value, at(path, "matcher_tree"), decoding, otherwise, depth);
    default:
      return matchList([], otherwise);
  }
}

function decodeTree<Action>(
  { input, treeType }: TreeMessage,
  path: string,
  decoding: MatchTreeDecoding<Action>,
  otherwise: MatchTree<Action> | undefined,
  depth: number,
): MatchTree<Action> {
  const { issues } = decoding;
  const value = decodeInput(input, at(path, "input"), decoding);
  if (treeType.case === "customMatch") {
    const branches: MatchBranches<Action> = {
      input: value,
      otherwise,
      decodeOnMatch: (onMatch, place) => decodeOnMatch(onMatch, place, decoding, depth),
    };
    return decodeMatchBranches(treeType.value, at(path, "custom_match"), branches, issues);
  }
  if (treeType.case !== "exactMatchMap" && treeType.case !== "prefixMatchMap") {
    issues.add(path, "needs `exact_match_map`, `prefix_match_map` or `custom_match`");
    return () => undefined;
  }
  const isExact = treeType.case === "exactMatchMap";
  const place = at(path, isExact ? "exact_match_map.map" : "prefix_match_map.map");
  const all = Object.entries(treeType.value.map);
  if (all.length === 0) issues.add(place, "is empty");
  const branches = new Map(
    all.map(([key, onMatch]) => [key, decodeOnMatch(onMatch, atKey(place, key), decoding, depth)] as const),
  );
  return (isExact ? matchExactly : matchLongestPrefix)(value, branches, otherwise);
}

function decodeInput<Action>(
  input: TypedExtensionConfig | undefined,
  path: string,
  { subject, issues, inputs }: MatchTreeDecoding<Action>,
): MatchInput {
  const value = decodeMatchInput(input, subject, path, issues);
  inputs?.add(value);
  return value;
}

function decodeOnMatch<Action>(
  onMatch: OnMatch | undefined,
  path: string,
  decoding: MatchTreeDecoding<Action>,
  depth: number,
): MatchTree<Action> {
  const { issues, decodeAction } = decoding;
  const what = onMatch?.onMatch;
  let tree: MatchTree<Action> = () => undefined;
  if (what?.case === "matcher") tree = decodeMatchTree(what.value, at(path, "matcher"), decoding, depth + 1);
  else if (what?.case === "action") {
    const message = what.value.typedConfig && unpackAny(what.value.typedConfig);
    const action = message && decodeAction(message, at(path, "action.typed_config"));
    tree = () => action;
  } else issues.add(path, "needs `action` or `matcher`");
  return tree;
}

function decodePredicate<Action>(
  predicate: Predicate | undefined,
  path: string,
  decoding: MatchTreeDecoding<Action>,
  depth: number,
): MatchTest {
  const { issues } = decoding;
  if (depth > maxDepth) {
    issues.add(path, `predicates are nested deeper than ${maxDepth}`);
    return never;
  }
  const type = predicate?.matchType;
  switch (type?.case) {
    case "singlePredicate":
      return decodeSingle(type.value, at(path, "single_predicate"), decoding);
    case "notMatcher":
      return negate(decodePredicate(type.value, at(path, "not_matcher"), decoding, depth + 1));
    case "andMatcher":
    case "orMatcher": {
      const isAnd = type.case === "andMatcher";
      const place = at(path, `${isAnd ? "and" : "or"}_matcher.predicate`);
      if (type.value.predicate.length < 2) issues.add(place, "needs two predicates at least");
      const tests = type.value.predicate.map((one, i) =>
        decodePredicate(one, `${place}[${i}]`, decoding, depth + 1),
      );
      return isAnd ? everyOf(tests) : someOf(tests);
    }
    default:
      issues.add(path, "needs `single_predicate`, `and_matcher`, `or_matcher` or `not_matcher`");
      return never;
  }
}

function decodeSingle<Action>(
  { input, matcher }: SinglePredicate,
  path: string,
  decoding: MatchTreeDecoding<Action>,
): MatchTest {
  const { issues } = decoding;
  const value = decodeInput(input, at(path, "input"), decoding);
  switch (matcher.case) {
    case "valueMatch":
      return testInput(value, decodeValueMatch(matcher.value, at(path, "value_match"), issues));
    case "customMatch":
      return testInput(value, decodeCustomMatch(matcher.value, at(path, "custom_match"), issues));
    default:
      issues.add(path, "needs `value_match` or `custom_match`");
      return never;
  }
}

function decodeValueMatch(
  { matchPattern, ignoreCase }: StringMatcher,
  path: string,
  issues: Issues,
): StringPredicate {
  switch (matchPattern.case) {
    case "exact":
    case "prefix":
    case "suffix":
    case "contains":
      return compileStringMatcher({ kind: matchPattern.case, text: matchPattern.value, ignoreCase });
    case "safeRegex": {
      if (matchPattern.value.engineType.case === undefined) {
        issues.add(at(path, "safe_regex"), "names no engine", "add google_re2: {}");
      }
      const spec = { kind: "regex", text: matchPattern.value.regex, ignoreCase } as const;
      return compiled(() => compileStringMatcher(spec), never, path, issues);
    }
    default:
      issues.add(path, "needs one of `exact`, `prefix`, `suffix`, `contains`, `safe_regex`");
      return never;
  }
}

function decodeCustomMatch(extension: TypedExtensionConfig, path: string, issues: Issues): StringPredicate {
  const message = extension.typedConfig && unpackAny(extension.typedConfig);
  if (message?.$typeName !== "envoy.extensions.matching.input_matchers.ip.v3.Ip") {
    issues.add(path, "is no matcher of a value", "use envoy.matching.matchers.ip, or `value_match`");
    return never;
  }
  const { cidrRanges } = message as Ip;
  const place = at(path, "typed_config.cidr_ranges");
  if (cidrRanges.length === 0) issues.add(place, "is empty");
  const ranges = cidrRanges.map((range, i) => compileRange(decodeCidr(range, `${place}[${i}]`, issues)));
  return (host) => ranges.some((isInside) => isInside({ kind: "ip", host, port: 0 }));
}

const never = (): boolean => false;
