import { RE2JS } from "re2js";

/** True when a text satisfies a compiled matcher. */
export type StringPredicate = (value: string) => boolean;

/** @see envoy.type.matcher.v3.StringMatcher */
export interface StringMatcherSpec {
  readonly kind: "exact" | "prefix" | "suffix" | "contains" | "regex";
  readonly text: string;
  /** Has no effect on `regex`, as in Envoy. */
  readonly ignoreCase: boolean;
}

/** Longest regular expression accepted: RE2 is linear in the input, but its program grows with the pattern. */
const maxPatternLength = 4096;

/**
 * Compiles a matcher to one function. Throws a `SyntaxError` with RE2's reason
 * when a regular expression is not RE2 syntax.
 */
export function compileStringMatcher(spec: StringMatcherSpec): StringPredicate {
  const { kind, text } = spec;
  if (kind === "regex") return compileFullMatch(text);
  if (spec.ignoreCase) {
    const lower = text.toLowerCase();
    const exact = compileStringMatcher({ kind, text: lower, ignoreCase: false });
    return (value) => exact(value.toLowerCase());
  }
  switch (kind) {
    case "exact":
      return (value) => value === text;
    case "prefix":
      return (value) => value.startsWith(text);
    case "suffix":
      return (value) => value.endsWith(text);
    case "contains":
      return (value) => value.includes(text);
  }
}

/** A whole-text RE2 match in time linear in the text, whatever the pattern. */
export function compileFullMatch(pattern: string): StringPredicate {
  const regex = compileRegex(pattern);
  return (value) => regex.testExact(value);
}

/** True when any part of a text matches; the same guarantee. */
export function compileSearch(pattern: string): StringPredicate {
  const regex = compileRegex(pattern);
  return (value) => regex.test(value);
}

/**
 * Replaces every match of `pattern` by `substitution`, where `\0` is the match
 * and `\1` … `\9` are its groups.
 *
 * @see envoy.type.matcher.v3.RegexMatchAndSubstitute
 */
export function compileSubstitution(pattern: string, substitution: string): (text: string) => string {
  const regex = compileRegex(pattern);
  const parts = parseSubstitution(substitution, regex.groupCount());
  return (text) => {
    const matcher = regex.matcher(text);
    let out = "";
    let from = 0;
    while (matcher.find()) {
      out += text.slice(from, matcher.start());
      for (const part of parts) out += typeof part === "string" ? part : (matcher.group(part) ?? "");
      from = matcher.end();
    }
    return from === 0 && out === "" ? text : out + text.slice(from);
  };
}

function compileRegex(pattern: string): RE2JS {
  if (pattern.length > maxPatternLength) {
    throw new SyntaxError(`a regular expression is at most ${maxPatternLength} characters`);
  }
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new SyntaxError(error instanceof Error ? error.message : String(error));
  }
}

/** Literal text and group numbers, in order. */
function parseSubstitution(substitution: string, groups: number): readonly (string | number)[] {
  const parts: (string | number)[] = [];
  for (const [token] of substitution.matchAll(/\\.?|[^\\]+/gs)) {
    if (!token.startsWith("\\")) parts.push(token);
    else if (token === "\\\\") parts.push("\\");
    else if (/^\\\d$/.test(token) && Number(token[1]) <= groups) parts.push(Number(token[1]));
    else throw new SyntaxError(`\`${token}\` is not a group reference of this expression`);
  }
  return parts;
}
