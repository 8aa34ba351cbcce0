import type { TypedExtensionConfig } from "@weft/xds/gen/xds/core/v3/extension_pb";
import { type ServerNameMatcher, ServerNameMatcherSchema } from "@weft/xds/gen/xds/type/matcher/v3/domain_pb";
import { type IPMatcher, IPMatcherSchema } from "@weft/xds/gen/xds/type/matcher/v3/ip_pb";
import type { Matcher_OnMatch as OnMatch } from "@weft/xds/gen/xds/type/matcher/v3/matcher_pb";
import { matchRanges, matchServerName } from "../matching/match-branches.ts";
import type { MatchInput, MatchTree } from "../matching/match-tree.ts";
import { parseRange } from "../net/cidr.ts";
import { decodeCidr } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

export interface MatchBranches<Action> {
  readonly input: MatchInput;
  readonly otherwise: MatchTree<Action> | undefined;
  decodeOnMatch(onMatch: OnMatch | undefined, path: string): MatchTree<Action>;
}

/** The branches of a tree that are found in other ways than by equal values and prefixes: ranges of addresses, names of servers. */
export function decodeMatchBranches<Action>(
  extension: TypedExtensionConfig,
  path: string,
  branches: MatchBranches<Action>,
  issues: Issues,
): MatchTree<Action> {
  const message = extension.typedConfig && unpackAny(extension.typedConfig);
  const place = at(path, "typed_config");
  switch (message?.$typeName) {
    case IPMatcherSchema.typeName:
      return decodeRanges(message as IPMatcher, place, branches, issues);
    case ServerNameMatcherSchema.typeName:
      return decodeNames(message as ServerNameMatcher, place, branches, issues);
    default:
      issues.add(
        path,
        "is no way to find a branch",
        "use IPMatcher or ServerNameMatcher of xds.type.matcher.v3",
      );
      return () => undefined;
  }
}

function decodeRanges<Action>(
  { rangeMatchers }: IPMatcher,
  path: string,
  { input, otherwise, decodeOnMatch }: MatchBranches<Action>,
  issues: Issues,
): MatchTree<Action> {
  const all = rangeMatchers.flatMap(({ ranges, onMatch, exclusive }, i) => {
    const place = `${at(path, "range_matchers")}[${i}]`;
    if (ranges.length === 0) issues.add(at(place, "ranges"), "is empty");
    const tree = decodeOnMatch(onMatch, at(place, "on_match"));
    return ranges.flatMap((cidr, j) => {
      const { address, prefixLength } = decodeCidr(cidr, `${at(place, "ranges")}[${j}]`, issues);
      const range = parseRange(address, prefixLength);
      return range ? [{ range, isExclusive: exclusive, onMatch: tree }] : [];
    });
  });
  return matchRanges(input, all, otherwise);
}

function decodeNames<Action>(
  { domainMatchers }: ServerNameMatcher,
  path: string,
  { input, otherwise, decodeOnMatch }: MatchBranches<Action>,
  issues: Issues,
): MatchTree<Action> {
  const names = new Map<string, MatchTree<Action>>();
  domainMatchers.forEach(({ domains, onMatch }, i) => {
    const place = `${at(path, "domain_matchers")}[${i}]`;
    if (domains.length === 0) issues.add(at(place, "domains"), "is empty");
    const tree = decodeOnMatch(onMatch, at(place, "on_match"));
    domains.forEach((domain, j) => {
      const where = `${at(place, "domains")}[${j}]`;
      const name = domain.toLowerCase();
      if (!/^(\*|(\*\.)?[^*]+)$/.test(name)) {
        issues.add(
          where,
          `${JSON.stringify(domain)} is not a server name`,
          "a wildcard is `*`, or `*.` and a domain",
        );
      } else if (names.has(name)) issues.add(where, `'${domain}' is there twice`, "remove one of them");
      else names.set(name, tree);
    });
  });
  return matchServerName(input, names, otherwise);
}
