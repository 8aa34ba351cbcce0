import type { HttpRuleMatchSpec, PathMatchSpec, ValueMatchSpec } from "../../config/gateway-api-specs.ts";
import type { ResourceOf } from "../../config/resource.ts";
import { provenanceOf } from "../provenance.ts";
import type { CallerMatch, HttpMatch, NamedMatcher, PathMatcher, StringMatcher } from "../routing.ts";
import type { BackendLookup, RefProblem } from "./backend-refs.ts";
import type { RankedRoute } from "./precedence.ts";
import { ruleAction } from "./rule-action.ts";

export interface CompiledRules<Route> {
  /** In the order they are written. */
  readonly routes: readonly Route[];
  /** References that lead nowhere. */
  readonly problems: readonly RefProblem[];
}

/** The rules of an HTTPRoute as routes of the model, one for each match, whatever the route is attached to. */
export function httpRules(
  resource: ResourceOf<"HTTPRoute">,
  backends: BackendLookup,
): CompiledRules<RankedRoute> {
  const problems: RefProblem[] = [];
  const rules = resource.spec.rules ?? [{}];
  const routes = rules.flatMap((rule, i) => {
    const path = `spec.rules[${i}]`;
    const name = `${resource.namespace}/${resource.name}/${rule.name ?? i}`;
    const source = provenanceOf(resource, path);
    const matched = prefixOf(rule.matches?.[0]?.path);
    const context = { path, resource, matched, missingStatus: 500 } as const;
    const parts = ruleAction(rule, context, backends, problems);
    return (rule.matches ?? [{}]).map((match): RankedRoute => {
      const matches = [{ ...anyRequest, ...httpMatch(match) }];
      return { route: { name, matches, fault: undefined, ...parts, source }, rank: rankOf(match) };
    });
  });
  return { routes, problems };
}

/** By exact path, by pattern, by prefix, the longer first; then by method, number of headers, number of parameters. */
function rankOf({ path, method, headers = [], queryParams = [] }: HttpRuleMatchSpec): number[] {
  const kinds = { Exact: 2, RegularExpression: 1, PathPrefix: 0 };
  const value = path?.value ?? "/";
  const kind = kinds[path?.type ?? "PathPrefix"];
  const length = kind === 0 ? prefixOf(path).length : value.length;
  return [kind, length, method === undefined ? 0 : 1, headers.length, queryParams.length];
}

/** A slash at the end of a prefix means nothing. */
function prefixOf(path: PathMatchSpec | undefined): string {
  const value = path?.value ?? "/";
  return value.endsWith("/") ? value.slice(0, -1) : value;
}

/** Callers are chosen by what a route is attached to, not by its matches. */
export const anyCaller: CallerMatch = { labels: {}, namespace: undefined };

/** A match without conditions. */
export const anyRequest: HttpMatch = {
  name: "",
  uri: undefined,
  isUriCaseIgnored: false,
  scheme: undefined,
  method: undefined,
  authority: undefined,
  headers: [],
  withoutHeaders: [],
  queryParams: [],
  port: undefined,
  source: anyCaller,
};

function httpMatch({ path, method, headers = [], queryParams = [] }: HttpRuleMatchSpec): Partial<HttpMatch> {
  return {
    uri: pathMatcher(path),
    method: method === undefined ? undefined : { kind: "exact", value: method },
    ...headerMatchers(headers),
    queryParams: namedMatchers(queryParams),
  };
}

/** The host is not among the headers in HTTP/2, nor in the model. */
export function headerMatchers(matches: readonly ValueMatchSpec[]): Pick<HttpMatch, "authority" | "headers"> {
  const lower = matches.map((match) => ({ ...match, name: match.name.toLowerCase() }));
  const host = lower.find(({ name }) => name === "host");
  return {
    authority: host && valueMatcher(host),
    headers: namedMatchers(lower.filter(({ name }) => name !== "host")),
  };
}

function pathMatcher(path: PathMatchSpec | undefined): PathMatcher | undefined {
  const value = path?.value ?? "/";
  switch (path?.type) {
    case "Exact":
      return { kind: "exact", value };
    case "RegularExpression":
      return { kind: "regex", value };
    default: {
      const prefix = prefixOf(path);
      return prefix === "" ? undefined : { kind: "path-prefix", value: prefix };
    }
  }
}

/** Of matches of the same name the first counts. */
function namedMatchers(matches: readonly ValueMatchSpec[]): NamedMatcher[] {
  const byName = new Map<string, StringMatcher>();
  for (const match of matches) if (!byName.has(match.name)) byName.set(match.name, valueMatcher(match));
  return [...byName].map(([name, matcher]) => ({ name, matcher }));
}

function valueMatcher({ type, value }: ValueMatchSpec): StringMatcher {
  return { kind: type === "RegularExpression" ? "regex" : "exact", value };
}
