/** Characters of a path that stand for themselves, as a RE2 class. */
const literal = "a-zA-Z0-9\\-._~%!$&'()+,;:@=";
const segment = `[${literal}]+`;
const anything = `[${literal}/]*`;

const maxLength = 1024;
const maxVariables = 5;
const maxNameLength = 16;

/** A path template, compiled to RE2 source with one group for each variable, in order. */
export interface UriTemplate {
  readonly pattern: string;
  readonly variables: readonly string[];
}

/**
 * Reads a path template: literal text, `*` for one segment, `**` for the rest,
 * and `{name}` or `{name=pattern}` for what is to be referred to.
 *
 * @throws SyntaxError saying what is wrong.
 * @see envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig
 */
export function parseUriTemplate(template: string): UriTemplate {
  if (!template.startsWith("/")) throw new SyntaxError("a path template begins with `/`");
  if (template.length > maxLength)
    throw new SyntaxError(`a path template has at most ${maxLength} characters`);
  const variables: string[] = [];
  let pattern = "";
  let hasRest = false;
  for (const [token, variable] of template.matchAll(/\{([^{}]*)\}|\*\*|\*|[^*{}]+|[{}]/g)) {
    if (variable === undefined) {
      pattern += patternOf(token);
    } else {
      const [name = "", ...inner] = variable.split("=");
      requireName(name, variables);
      variables.push(name);
      const source = inner.length === 0 ? "*" : inner.join("=");
      if (source === "") throw new SyntaxError(`\`{${variable}}\` has an empty pattern`);
      const parts = [...source.matchAll(/\*\*|\*|[^*]+/g)];
      pattern += `(${parts.map(([part]) => patternOf(part)).join("")})`;
    }
  }
  return { pattern, variables };

  function patternOf(token: string): string {
    if (token === "{" || token === "}") throw new SyntaxError("braces do not pair");
    if ((token === "*" || token === "**") && hasRest)
      throw new SyntaxError("nothing follows `**` but literal text");
    if (token === "**") {
      hasRest = true;
      return anything;
    }
    if (token === "*") return segment;
    if (token.includes("//")) throw new SyntaxError("a path template has no empty segment");
    if (!new RegExp(`^[${literal}/]+$`).test(token)) {
      throw new SyntaxError(`${JSON.stringify(token)} holds what cannot stand in a path`);
    }
    return token.replace(/[-.+()$*?[\]\\^|{}]/g, "\\$&");
  }
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
  if (!template.startsWith("/")) throw new SyntaxError("a path template begins with `/`");
  if (template.includes("//")) throw new SyntaxError("a path template has no empty segment");
  let substitution = "";
  for (const [token, name] of template.matchAll(/\{([^{}]*)\}|[^{}]+|[{}]/g)) {
    if (token === "{" || token === "}") throw new SyntaxError("braces do not pair");
    if (name === undefined) {
      if (!new RegExp(`^[${literal}/]+$`).test(token)) {
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
