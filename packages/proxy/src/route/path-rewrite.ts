import { pathEnd } from "./path-matcher.ts";
import { compileSubstitution } from "./string-matcher.ts";

/** Gives the path to send for a path that matched; the query is kept as it came. */
export type PathRewrite = (path: string) => string;

/**
 * Replaces the first `matchedLength` characters (the prefix or path the route
 * matched) by `replacement`.
 */
export function rewritePrefix(matchedLength: number, replacement: string): PathRewrite {
  return (path) => replacement + path.slice(matchedLength);
}

/** Replaces the whole path before its query: what a prefix rewrite means on a route that matched by expression. */
export function rewriteWhole(replacement: string): PathRewrite {
  return (path) => replacement + path.slice(pathEnd(path));
}

/** Replaces every match of an RE2 pattern in the path before its query. */
export function rewriteRegex(pattern: string, substitution: string): PathRewrite {
  const substitute = compileSubstitution(pattern, substitution);
  return (path) => {
    const end = pathEnd(path);
    return substitute(path.slice(0, end)) + path.slice(end);
  };
}

/** Makes a path out of the groups of an RE2 pattern that matches the path before its query as a whole. */
export function rewriteOnce(pattern: string, substitution: string): PathRewrite {
  return rewriteRegex(`^(?:${pattern})$`, substitution);
}
