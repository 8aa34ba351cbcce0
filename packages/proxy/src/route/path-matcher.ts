import { compileFullMatch } from "./string-matcher.ts";

/** @see envoy.config.route.v3.RouteMatch, `path_specifier` */
export interface PathSpec {
  readonly kind: "prefix" | "exact" | "separated-prefix" | "regex";
  readonly text: string;
  readonly caseSensitive: boolean;
}

/** True when the first `end` characters of a path, its query excluded, match. */
export type PathPredicate = (path: string, end: number) => boolean;

const slash = 47;

/** Where a path's query or fragment begins, or its length. */
export function pathEnd(path: string): number {
  const query = path.indexOf("?");
  const fragment = path.indexOf("#");
  if (query < 0) return fragment < 0 ? path.length : fragment;
  return fragment < 0 ? query : Math.min(query, fragment);
}

/** As `pathEnd`, before path parameters (`/a;b=c`). */
export function pathEndBeforeParameters(path: string): number {
  const end = pathEnd(path);
  const parameters = path.indexOf(";");
  return parameters < 0 ? end : Math.min(parameters, end);
}

/**
 * Compiles a path condition. Case-sensitive literals compare in place and
 * allocate nothing; the others copy the path once. Throws a `SyntaxError` for
 * what is not an RE2 expression.
 */
export function compilePath(spec: PathSpec): PathPredicate {
  if (spec.kind === "regex") {
    const matches = compileFullMatch(spec.text);
    return (path, end) => matches(end === path.length ? path : path.slice(0, end));
  }
  if (!spec.caseSensitive) {
    const inner = compilePath({ ...spec, text: spec.text.toLowerCase(), caseSensitive: true });
    return (path, end) => inner(path.toLowerCase(), end);
  }
  const { text } = spec;
  const { length } = text;
  switch (spec.kind) {
    case "prefix":
      return (path, end) => end >= length && path.startsWith(text);
    case "exact":
      return (path, end) => end === length && path.startsWith(text);
    case "separated-prefix":
      return (path, end) =>
        end >= length && path.startsWith(text) && (end === length || path.charCodeAt(length) === slash);
  }
}
