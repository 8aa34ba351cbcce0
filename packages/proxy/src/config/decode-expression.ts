import type { CelProgram } from "@weft/base/cel/cel-type";
import { compileCel } from "@weft/base/cel/compile-cel";
import { messageOf } from "@weft/base/errors";
import type { Exchange } from "../layer/exchange.ts";
import { exchangeScope } from "../telemetry/attributes.ts";
import type { FilterServices } from "./decode-context.ts";
import type { Issues } from "./issues.ts";

export interface ExpressionContext {
  readonly issues: Issues;
  readonly services: Pick<FilterServices, "node">;
}

/** An expression over the attributes of an exchange; undefined, and an issue, where it is wrong. */
export function decodeExpression(
  text: string,
  path: string,
  { issues, services }: ExpressionContext,
  makesText: boolean,
): CelProgram<Exchange> | undefined {
  try {
    return compileCel(text, exchangeScope(services.node, makesText));
  } catch (error) {
    issues.add(path, messageOf(error), "write it in CEL, over Envoy's attributes");
    return undefined;
  }
}

/** An expression that is true or false: without a value it is false. */
export function decodeCondition(
  text: string,
  path: string,
  context: ExpressionContext,
): (exchange: Exchange) => boolean {
  const program = decodeExpression(text, path, context, false);
  if (program && program.type !== "bool")
    context.issues.add(path, `gives ${program.type}, not a truth value`);
  return (exchange) => program?.evaluate(exchange) === true;
}
