/** Characters of a path that stand for themselves, as a RE2 class. */
const literal = "a-zA-Z0-9\\-._~%!$&'()+,;:@=*";
const literalText = new RegExp(`^[${literal}]+$`);
const rewriteText = new RegExp(`^[${literal}/]+$`);
const segment = `[${literal}]+`;
const anything = `[${literal}/]*`;

const maxLength = 256;
const maxVariables = 5;
const maxNameLength = 16;

/** A path template, compiled to RE2 source with one group for each variable, in order. */
export interface UriTemplate {
  readonly pattern: string;
  readonly variables: readonly string[];
}

/**
 * Reads a path template: between slashes stand a literal, `*` for one segment,
 * `**` for any number of them, or a variable, `{name}` or `{name=pattern}`.
 * A literal may stand before and after a variable, and after an operator at the
 * end of the template.
 *
 * A `*` inside a literal repeats the character before it, any number of times
 * or none, as in Envoy; two in a row, which make Envoy match nothing, are refused.
 *
 * @throws SyntaxError saying what is wrong.
 * @see envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig
 */
export function parseUriTemplate(template: string): UriTemplate {
  requireStart(template);
  const variables: string[] = [];
  let pattern = "";
  let hasRest = false;
  for (let at = 0; at < template.length; ) {
    const part = readPart(template, at + 1);
    pattern += `/${patternOf(part)}`;
    at = part.end;
  }
  return { pattern, variables };

  function patternOf({ before, variable, after }: Part): string {
    const [operator = ""] = variable === undefined ? (/^\*\*?/.exec(before) ?? []) : [];
    if (operator !== "") return operatorPattern(operator) + plainPattern(before.slice(operator.length));
    if (variable === undefined) return literalPattern(before);
    return `${literalPattern(before)}(${variablePattern(variable)})${literalPattern(after)}`;
  }

  function variablePattern(variable: string): string {
    const equals = variable.indexOf("=");
    const name = equals < 0 ? variable : variable.slice(0, equals);
    requireName(name, variables);
    variables.push(name);
    if (equals < 0) return operatorPattern("*");
    const inner = variable.slice(equals + 1).split("/");
    if (inner.includes("")) throw new SyntaxError(`\`{${variable}}\` has an empty segment`);
    return inner
      .map((one) => (one === "*" || one === "**" ? operatorPattern(one) : plainPattern(one)))
      .join("/");
  }

  function operatorPattern(operator: string): string {
    if (hasRest) throw new SyntaxError("nothing follows `**` but literal text");
    hasRest = operator === "**";
    return hasRest ? anything : segment;
  }
}

/** What stands between two slashes that are not within a variable. */
interface Part {
  readonly before: string;
  readonly variable: string | undefined;
  readonly after: string;
  /** Where the next slash, or the template's end, is. */
  readonly end: number;
}

function readPart(template: string, start: number): Part {
  const next = endOfSegment(template, start);
  const open = template.indexOf("{", start);
  if (open < 0 || open >= next || template[start] === "*") {
    const before = template.slice(start, next);
    if (before === "" && next < template.length) {
      throw new SyntaxError("a path template has no empty segment");
    }
    if (/^\*\*?[^*]/.test(before) && next < template.length) {
      throw new SyntaxError("text after `*` or `**` ends a path template");
    }
    return { before, variable: undefined, after: "", end: next };
  }
  const close = template.indexOf("}", open);
  // Only a variable that begins a segment may go over several.
  if (close < 0 || (open > start && close > next)) throw new SyntaxError("braces do not pair");
  const end = endOfSegment(template, close + 1);
  return {
    before: template.slice(start, open),
    variable: template.slice(open + 1, close),
    after: template.slice(close + 1, end),
    end,
  };
}

function endOfSegment(template: string, from: number): number {
  const slash = template.indexOf("/", from);
  return slash < 0 ? template.length : slash;
}

/** A literal that has nothing before it to repeat. */
function plainPattern(text: string): string {
  if (text.startsWith("*")) throw new SyntaxError("`*` and `**` stand for segments between slashes only");
  return literalPattern(text);
}

function literalPattern(text: string): string {
  if (text === "") return "";
  if (!literalText.test(text)) {
    throw new SyntaxError(`${JSON.stringify(text)} holds what cannot stand in a path`);
  }
  if (text.includes("**")) throw new SyntaxError("`**` stands for segments between slashes only");
  return text.replace(/[-.+()$]/g, "\\$&");
}

function requireStart(template: string): void {
  if (!template.startsWith("/")) throw new SyntaxError("a path template begins with `/`");
  if (template.length > maxLength)
    throw new SyntaxError(`a path template has at most ${maxLength} characters`);
}

function requireName(name: string, before: readonly string[]): void {
  if (!/^[a-zA-Z][a-zA-Z0-9_]*$/.test(name) || name.length > maxNameLength) {
    throw new SyntaxError(
      `\`${name}\` is not a variable: a letter, then letters, digits and \`_\`, at most ${maxNameLength}`,
    );
  }
  if (before.includes(name)) throw new SyntaxError(`the variable \`${name}\` stands twice`);
  if (before.length === maxVariables)
    throw new SyntaxError(`a path template has at most ${maxVariables} variables`);
}

/**
 * Turns a rewrite template (`/{lang}/{country}`) into a substitution for the
 * pattern of the template whose variables it refers to.
 *
 * @throws SyntaxError for an unknown variable, or a template that is none.
 * @see envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig
 */
export function parseRewriteTemplate(template: string, variables: readonly string[]): string {
  requireStart(template);
  if (template.includes("//")) throw new SyntaxError("a path template has no empty segment");
  let substitution = "";
  for (const [token, name] of template.matchAll(/\{([^{}]*)\}|[^{}]+|[{}]/g)) {
    if (token === "{" || token === "}") throw new SyntaxError("braces do not pair");
    if (name === undefined) {
      if (!rewriteText.test(token)) {
        throw new SyntaxError(`${JSON.stringify(token)} holds what cannot stand in a path`);
      }
      substitution += token;
      continue;
    }
    const group = variables.indexOf(name);
    if (group < 0) throw new SyntaxError(`the path template has no variable \`${name}\``);
    substitution += `\\${group + 1}`;
  }
  return substitution;
}
