import type { RouteAction, RouteMatch } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { UriTemplateRewriteConfig } from "@weft/xds/gen/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite_pb";
import type { RegexMatchAndSubstitute } from "@weft/xds/gen/envoy/type/matcher/v3/regex_pb";
import { pathEnd } from "../route/path-matcher.ts";
import {
  type PathRewrite,
  rewriteOnce,
  rewritePrefix,
  rewriteRegex,
  rewriteWhole,
} from "../route/path-rewrite.ts";
import { readHeader } from "../route/request-matcher.ts";
import type { ForwardAction } from "../route/route-plan.ts";
import { parseRewriteTemplate } from "../route/uri-template.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeUriTemplate } from "./decode-route-match.ts";
import { compiled, decodeHeaderValue, regexText } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, Issues } from "./issues.ts";

const keep: PathRewrite = (path) => path;

/** How a request's path becomes what the upstream sees; undefined leaves it. */
export function decodePathRewrite(
  action: RouteAction,
  match: RouteMatch | undefined,
  path: string,
  context: DecodeContext,
): ForwardAction["rewritePath"] {
  const set = [
    action.prefixRewrite !== "" && "prefix_rewrite",
    action.regexRewrite && "regex_rewrite",
    action.pathRewritePolicy && "path_rewrite_policy",
    action.pathRewrite !== "" && "path_rewrite",
  ].filter((name) => typeof name === "string");
  if (set.length > 1) {
    context.issues.add(at(path, set[1]!), `excludes \`${set[0]}\``, "keep one of them");
  }
  if (action.regexRewrite) {
    return decodeRegexRewrite(action.regexRewrite, at(path, "regex_rewrite"), context);
  }
  if (action.pathRewritePolicy) return decodeTemplateRewrite(action, match, path, context);
  if (action.pathRewrite !== "") {
    const value = decodeHeaderValue(action.pathRewrite, at(path, "path_rewrite"), context);
    return (before, exchange) => {
      const made = typeof value === "string" ? value : value(exchange);
      return made === "" ? undefined : made + before.slice(pathEnd(before));
    };
  }
  return action.prefixRewrite === "" ? undefined : decodePrefixRewrite(action.prefixRewrite, match);
}

export function decodePrefixRewrite(replacement: string, match: RouteMatch | undefined): PathRewrite {
  const specifier = match?.pathSpecifier;
  switch (specifier?.case) {
    case "prefix":
    case "path":
    case "pathSeparatedPrefix":
      return rewritePrefix(specifier.value.length, replacement);
    default:
      return rewriteWhole(replacement);
  }
}

export function decodeRegexRewrite(
  rewrite: RegexMatchAndSubstitute,
  path: string,
  { issues }: DecodeContext,
): PathRewrite {
  const pattern = regexText(rewrite.pattern, at(path, "pattern"), issues);
  return compiled(() => rewriteRegex(pattern, rewrite.substitution), keep, path, issues);
}

function decodeTemplateRewrite(
  action: RouteAction,
  match: RouteMatch | undefined,
  path: string,
  context: DecodeContext,
): PathRewrite {
  const { issues } = context;
  const place = at(path, "path_rewrite_policy");
  const config = action.pathRewritePolicy?.typedConfig;
  const message = config && unpackAny(config);
  if (message?.$typeName !== "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig") {
    issues.add(place, "is not a path template", "use envoy.path.rewrite.uri_template.uri_template_rewriter");
    return keep;
  }
  if (match?.pathSpecifier.case !== "pathMatchPolicy") {
    issues.add(place, "needs a route that matches by `path_match_policy`", "match by a path template");
    return keep;
  }
  const { pathTemplateRewrite } = message as UriTemplateRewriteConfig;
  // What is wrong with the match has been reported where it was decoded.
  const { pattern, variables } = decodeUriTemplate(match, "", { issues: new Issues() });
  return compiled(
    () => rewriteOnce(pattern, parseRewriteTemplate(pathTemplateRewrite, variables)),
    keep,
    at(place, "typed_config.path_template_rewrite"),
    issues,
  );
}

/** How a request's authority becomes what the upstream sees; undefined leaves it, as does a result that names no host. */
export function decodeAuthorityRewrite(
  action: RouteAction,
  path: string,
  context: DecodeContext,
): ForwardAction["rewriteAuthority"] {
  const specifier = action.hostRewriteSpecifier;
  switch (specifier.case) {
    case "hostRewriteLiteral": {
      const literal = specifier.value;
      return literal === "" ? undefined : () => literal;
    }
    case "hostRewriteHeader": {
      const name = specifier.value.toLowerCase();
      return (request) => hostOrNone(readHeader(request, name));
    }
    case "hostRewritePathRegex": {
      const place = at(path, "host_rewrite_path_regex");
      const rewrite = decodeRegexRewrite(specifier.value, place, context);
      return (request) => hostOrNone(rewrite(request.path.slice(0, pathEnd(request.path))));
    }
    case "hostRewrite": {
      const value = decodeHeaderValue(specifier.value, at(path, "host_rewrite"), context);
      return (_request, exchange) => hostOrNone(typeof value === "string" ? value : value(exchange));
    }
    default:
      return undefined;
  }
}

/** What is made of a request's own text must be able to stand in `Host`. */
function hostOrNone(text: string | undefined): string | undefined {
  return text !== undefined && /^[^\s,/?#@\\"<>]+$/.test(text) ? text : undefined;
}
