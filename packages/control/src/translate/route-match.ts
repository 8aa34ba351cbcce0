import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { RuntimeFractionalPercentSchema } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  type HeaderMatcherSchema,
  type QueryParameterMatcherSchema,
  type RouteMatch,
  RouteMatchSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import { FractionalPercent_DenominatorType as Denominator } from "@weft/xds/gen/envoy/type/v3/percent_pb";
import type { HttpMatch, PathMatcher, StringMatcher } from "../model/routing.ts";
import { stringMatch } from "./string-match.ts";

type HeaderMatcher = MessageInitShape<typeof HeaderMatcherSchema>;
type QueryMatch = MessageInitShape<typeof QueryParameterMatcherSchema>;

/** A match that every request satisfies. */
export function matchAll(): RouteMatch {
  return create(RouteMatchSchema, { pathSpecifier: { case: "prefix", value: "/" } });
}

/** The same for those of its requests whose draw is among the first `upTo` of a million; undefined: for all. */
export function shareOf(match: RouteMatch, upTo: number | undefined): RouteMatch {
  if (upTo === undefined) return match;
  const defaultValue = { numerator: upTo, denominator: Denominator.MILLION };
  return create(RouteMatchSchema, {
    ...match,
    runtimeFraction: create(RuntimeFractionalPercentSchema, { defaultValue }),
  });
}

export function routeMatch(match: HttpMatch): RouteMatch {
  const pseudo: HeaderMatcher[] = [];
  for (const name of ["method", "authority", "scheme"] as const) {
    const matcher = match[name];
    if (matcher) pseudo.push(headerMatcher(`:${name}`, matcher));
  }
  return create(RouteMatchSchema, {
    pathSpecifier: pathOf(match.uri),
    ...(match.isUriCaseIgnored ? { caseSensitive: false } : {}),
    headers: [
      ...pseudo,
      ...match.headers.map(({ name, matcher }) => headerMatcher(name.toLowerCase(), matcher)),
      ...match.withoutHeaders.map(({ name, matcher }) => withoutHeader(name.toLowerCase(), matcher)),
    ],
    queryParameters: match.queryParams.map(({ name, matcher }): QueryMatch => {
      if (matcher.kind === "present") {
        return { name, queryParameterMatchSpecifier: { case: "presentMatch", value: true } };
      }
      return { name, queryParameterMatchSpecifier: { case: "stringMatch", value: stringMatch(matcher) } };
    }),
  });
}

function pathOf(uri: PathMatcher | undefined): RouteMatch["pathSpecifier"] {
  switch (uri?.kind) {
    case "exact":
      return { case: "path", value: uri.value };
    case "prefix":
      return { case: "prefix", value: uri.value };
    case "path-prefix":
      return { case: "pathSeparatedPrefix", value: uri.value };
    case "regex":
      return create(RouteMatchSchema, { pathSpecifier: { case: "safeRegex", value: { regex: uri.value } } })
        .pathSpecifier;
    default:
      return { case: "prefix", value: "/" };
  }
}

function headerMatcher(name: string, matcher: StringMatcher): HeaderMatcher {
  if (matcher.kind === "present")
    return { name, headerMatchSpecifier: { case: "presentMatch", value: true } };
  return { name, headerMatchSpecifier: { case: "stringMatch", value: stringMatch(matcher) } };
}

/** A request without the header has it "without" whatever value was named. */
function withoutHeader(name: string, matcher: StringMatcher): HeaderMatcher {
  const matched = headerMatcher(name, matcher);
  if (matcher.kind === "present") return { ...matched, invertMatch: true };
  return { ...matched, invertMatch: true, treatMissingHeaderAsEmpty: true };
}
