import { compileCel } from "@weft/base/cel/compile-cel";
import { messageOf } from "@weft/base/errors";
import { attributeScope } from "@weft/xds/attributes";
import { RE2JS } from "re2js";

const scope = attributeScope<undefined>(
  () => () => undefined,
  (pattern) => {
    RE2JS.compile(pattern);
    return () => false;
  },
  false,
);

/** What is wrong with the condition of an access log, or what of it not every data plane does; undefined: nothing. */
export function conditionProblem(expression: string): string | undefined {
  return problemOf(expression, (type) => (type === "bool" ? undefined : `gives ${type}, not a truth value`));
}

/**
 * The same of a label's value. Labels are text whatever they come from, so that
 * `string( )` around all of it says nothing; inside, text cannot be made.
 */
export function labelProblem(expression: string): string | undefined {
  if (expression.includes("%")) return "has a %, which is not supported in labels";
  return problemOf(bareExpression(expression), (type) =>
    ["string", "int", "double", "bool"].includes(type) ? undefined : `gives ${type}, which is no label`,
  );
}

/** Without `string( )` around the whole. */
export function bareExpression(expression: string): string {
  const inner = /^\s*string\((.*)\)\s*$/s.exec(expression)?.[1];
  if (inner === undefined) return expression.trim();
  try {
    compileCel(inner, scope);
    return inner.trim();
  } catch {
    return expression.trim();
  }
}

function problemOf(expression: string, judge: (type: string) => string | undefined): string | undefined {
  try {
    return judge(compileCel(expression, scope).type);
  } catch (error) {
    return messageOf(error);
  }
}
