import type {
  QueryParameterMatcher,
  RouteMatch,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { UriTemplateMatchConfig } from "@weft/xds/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb";
import { metadataAt } from "../layer/dynamic-metadata.ts";
import { compilePath, type PathSpec, pathEnd } from "../route/path-matcher.ts";
import { compileQueryParameter, isGrpc } from "../route/request-matcher.ts";
import type { RoutePredicate } from "../route/route-predicate.ts";
import { compileFullMatch } from "../route/string-matcher.ts";
import { parseUriTemplate, type UriTemplate } from "../route/uri-template.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeMetadataMatcher } from "./decode-metadata-matcher.ts";
import { compiled, decodeHeaderMatcher, decodeStringMatcher, regexText } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at } from "./issues.ts";

const noTemplate: UriTemplate = { pattern: "/", variables: [] };

/** A route's match as one predicate, for those who match requests outside a route table. */
export function decodeRequestMatch(
  match: RouteMatch | undefined,
  path: string,
  context: DecodeContext,
): RoutePredicate {
  const matchesPath = compilePath(decodePathSpec(match, path, context));
  const conditions = decodeConditions(match, path, context);
  return (request, source) =>
    matchesPath(request.path, pathEnd(request.path)) && conditions.every((holds) => holds(request, source));
}

export function decodePathSpec(
  match: RouteMatch | undefined,
  path: string,
  context: DecodeContext,
): PathSpec {
  const { issues } = context;
  const caseSensitive = match?.caseSensitive ?? true;
  const specifier = match?.pathSpecifier;
  switch (specifier?.case) {
    case "prefix":
      return { kind: "prefix", text: specifier.value, caseSensitive };
    case "path":
      return { kind: "exact", text: specifier.value, caseSensitive };
    case "pathSeparatedPrefix":
      if (!/^\/[^?#]*[^?#/]$/.test(specifier.value)) {
        issues.add(
          at(path, "path_separated_prefix"),
          "begins with `/`, does not end with one, and has no query",
        );
      }
      return { kind: "separated-prefix", text: specifier.value, caseSensitive };
    case "safeRegex": {
      const text = regexText(specifier.value, at(path, "safe_regex"), issues);
      const isValid = compiled(
        () => Boolean(compileFullMatch(text)),
        false,
        at(path, "safe_regex.regex"),
        issues,
      );
      return { kind: "regex", text: isValid ? text : "", caseSensitive: true };
    }
    case "connectMatcher":
      // CONNECT alone has no path.
      return { kind: "exact", text: "", caseSensitive: true };
    case "pathMatchPolicy": {
      const { pattern } = decodeUriTemplate(match, at(path, "path_match_policy"), context);
      return { kind: "regex", text: pattern, caseSensitive: true };
    }
    default:
      issues.add(
        path,
        "needs one of `prefix`, `path`, `safe_regex`, `path_separated_prefix`, `path_match_policy`, `connect_matcher`",
      );
      return { kind: "prefix", text: "", caseSensitive };
  }
}

/** The template of a route that matches by one, which its rewrite refers to. */
export function decodeUriTemplate(
  match: RouteMatch | undefined,
  path: string,
  { issues }: Pick<DecodeContext, "issues">,
): UriTemplate {
  const policy = match?.pathSpecifier.case === "pathMatchPolicy" ? match.pathSpecifier.value : undefined;
  const message = policy?.typedConfig && unpackAny(policy.typedConfig);
  if (message?.$typeName !== "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig") {
    issues.add(path, "is not a path template", "use envoy.path.match.uri_template.uri_template_matcher");
    return noTemplate;
  }
  const { pathTemplate } = message as UriTemplateMatchConfig;
  const place = at(path, "typed_config.path_template");
  return compiled(() => parseUriTemplate(pathTemplate), noTemplate, place, issues);
}

export function decodeConditions(
  match: RouteMatch | undefined,
  path: string,
  context: DecodeContext,
): readonly RoutePredicate[] {
  if (!match) return [];
  const { issues } = context;
  const conditions: RoutePredicate[] = match.headers.map((matcher, i) =>
    decodeHeaderMatcher(matcher, `${at(path, "headers")}[${i}]`, issues),
  );
  match.queryParameters.forEach((matcher, i) => {
    conditions.push(decodeQueryParameter(matcher, `${at(path, "query_parameters")}[${i}]`, context));
  });
  if (match.grpc) conditions.push(isGrpc);
  const { presented, validated } = match.tlsContext ?? {};
  if (presented !== undefined) {
    conditions.push((_request, source) => {
      const { peer, unverifiedPeer } = source?.connection ?? {};
      return ((peer ?? unverifiedPeer) !== undefined) === presented;
    });
  }
  if (validated !== undefined) {
    conditions.push((_request, source) => (source?.connection.peer !== undefined) === validated);
  }
  match.dynamicMetadata.forEach((matcher, i) => {
    const test = decodeMetadataMatcher(matcher, `${at(path, "dynamic_metadata")}[${i}]`, issues);
    conditions.push((_request, source) =>
      test.matches(metadataAt(source?.dynamicMetadata, test.filter, test.keys)),
    );
  });
  return conditions;
}

/** One condition on a query parameter. */
export function decodeQueryParameter(
  matcher: QueryParameterMatcher,
  path: string,
  { issues }: DecodeContext,
): RoutePredicate {
  if (matcher.name === "") issues.add(at(path, "name"), "is empty", "name the query parameter");
  const specifier = matcher.queryParameterMatchSpecifier;
  return compileQueryParameter({
    name: matcher.name,
    matches:
      specifier.case === "stringMatch"
        ? decodeStringMatcher(specifier.value, at(path, "string_match"), issues)
        : undefined,
    expected: specifier.case === "presentMatch" ? specifier.value : true,
  });
}
