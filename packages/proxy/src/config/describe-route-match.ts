import type {
  HeaderMatcher,
  QueryParameterMatcher,
  RouteMatch,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { StringMatcher } from "@weft/xds/gen/envoy/type/matcher/v3/string_pb";
import type { RequestHead } from "../layer/message.ts";
import { pathEnd } from "../route/path-matcher.ts";
import { queryParameter, readHeader } from "../route/request-matcher.ts";

/** One condition of a route in words, and what a request has where it looks. */
export interface ConditionText {
  /** Completes "wants …": `header end-user = "jason"`. */
  readonly text: string;
  /** Completes "the request has …". */
  found(request: RequestHead): string;
}

/** The condition on the path. */
export function describePath(match: RouteMatch | undefined): ConditionText {
  return {
    text: `${pathText(match)}${match?.caseSensitive === false ? ", in any case" : ""}`,
    found: ({ path }) => `path ${quote(path.slice(0, pathEnd(path)))}`,
  };
}

/** The conditions beside the path, in the order of `decodeConditions`, one for one. */
export function describeConditions(match: RouteMatch | undefined): readonly ConditionText[] {
  if (!match) return [];
  const { presented, validated } = match.tlsContext ?? {};
  const certificate = [presented, validated].filter((expected) => expected !== undefined);
  return [
    ...match.headers.map(describeHeader),
    ...match.queryParameters.map(describeQuery),
    ...(match.grpc ? [fixed("a gRPC request", "another content-type")] : []),
    ...certificate.map((expected) =>
      expected ? fixed("a client certificate", "none") : fixed("no client certificate", "one"),
    ),
    ...match.dynamicMetadata.map(({ filter }) => fixed(`metadata of ${filter}`, "something else there")),
  ];
}

function fixed(text: string, found: string): ConditionText {
  return { text, found: () => found };
}

function pathText(match: RouteMatch | undefined): string {
  const specifier = match?.pathSpecifier;
  switch (specifier?.case) {
    case "prefix":
      return `path beginning with ${quote(specifier.value)}`;
    case "path":
      return `path ${quote(specifier.value)}`;
    case "pathSeparatedPrefix":
      return `path ${quote(specifier.value)} or below it`;
    case "safeRegex":
      return `path matching ${specifier.value.regex}`;
    case "connectMatcher":
      return "a CONNECT request";
    default:
      return "path of a template";
  }
}

function describeHeader(matcher: HeaderMatcher): ConditionText {
  const name = matcher.name.toLowerCase();
  const label = name.startsWith(":") ? name.slice(1) : `header ${name}`;
  return {
    text: `${matcher.invertMatch ? "no " : ""}${label}${headerTest(matcher)}`,
    found: (request) => foundValue(label, readHeader(request, name)),
  };
}

function headerTest({ headerMatchSpecifier: specifier }: HeaderMatcher): string {
  switch (specifier.case) {
    case "stringMatch":
      return stringTest(specifier.value);
    case "exactMatch":
      return ` = ${quote(specifier.value)}`;
    case "prefixMatch":
      return ` beginning with ${quote(specifier.value)}`;
    case "suffixMatch":
      return ` ending with ${quote(specifier.value)}`;
    case "containsMatch":
      return ` containing ${quote(specifier.value)}`;
    case "safeRegexMatch":
      return ` matching ${specifier.value.regex}`;
    case "rangeMatch":
      return ` from ${specifier.value.start} to below ${specifier.value.end}`;
    case "presentMatch":
      return specifier.value ? "" : " absent";
    default:
      return "";
  }
}

function describeQuery({ name, queryParameterMatchSpecifier: test }: QueryParameterMatcher): ConditionText {
  const label = `query parameter ${name}`;
  const text =
    test.case === "stringMatch"
      ? `${label}${stringTest(test.value)}`
      : test.case === "presentMatch" && !test.value
        ? `no ${label}`
        : label;
  return { text, found: ({ path }) => foundValue(label, queryParameter(path, name)) };
}

function stringTest({ matchPattern: pattern, ignoreCase }: StringMatcher): string {
  const anyCase = ignoreCase ? ", in any case" : "";
  switch (pattern.case) {
    case "exact":
      return ` = ${quote(pattern.value)}${anyCase}`;
    case "prefix":
      return ` beginning with ${quote(pattern.value)}${anyCase}`;
    case "suffix":
      return ` ending with ${quote(pattern.value)}${anyCase}`;
    case "contains":
      return ` containing ${quote(pattern.value)}${anyCase}`;
    case "safeRegex":
      return ` matching ${pattern.value.regex}`;
    default:
      return "";
  }
}

function foundValue(label: string, value: string | undefined): string {
  return value === undefined ? `no ${label}` : `${label} = ${quote(value)}`;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
