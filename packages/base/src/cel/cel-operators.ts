import { CelError, type CelNode, type CelOperator } from "./cel-node.ts";
import {
  type CelMap,
  type CelProgram,
  type CelScope,
  type CelType,
  isNumeric,
  itemTypeOf,
} from "./cel-type.ts";

type Binary = Extract<CelNode, { kind: "binary" }>;

/** @throws CelError where the operator does not take what stands beside it */
export function binaryOf<S>(
  node: Binary,
  { makesText }: CelScope<S>,
  compile: (node: CelNode) => CelProgram<S>,
): CelProgram<S> {
  const left = compile(node.left);
  const right = compile(node.right);
  const wrong = (): CelError =>
    new CelError(`${node.operator} does not take ${left.type} and ${right.type}`, node.at);
  switch (node.operator) {
    case "||":
    case "&&":
      if (left.type !== "bool" || right.type !== "bool") throw wrong();
      return logic(left, right, node.operator === "||");
    case "in":
      return membership(left, right, wrong);
    case "+":
      if (left.type === "string" && !makesText)
        throw new CelError("joining texts is not supported here", node.at);
      return arithmetic(node.operator, left, right, wrong);
    case "-":
    case "*":
    case "/":
    case "%":
      return arithmetic(node.operator, left, right, wrong);
    default:
      return comparison(node.operator, left, right, wrong);
  }
}

/** Either side decides alone, even where the other has no value. */
function logic<S>(left: CelProgram<S>, right: CelProgram<S>, deciding: boolean): CelProgram<S> {
  return {
    type: "bool",
    evaluate(subject) {
      const first = left.evaluate(subject);
      if (first === deciding) return deciding;
      const second = right.evaluate(subject);
      if (second === deciding) return deciding;
      return first === undefined || second === undefined ? undefined : !deciding;
    },
  };
}

function membership<S>(left: CelProgram<S>, right: CelProgram<S>, wrong: () => CelError): CelProgram<S> {
  const itemType = itemTypeOf(right.type);
  if (right.type === "map" ? left.type !== "string" : itemType !== "" && itemType !== left.type)
    throw wrong();
  const isMap = right.type === "map";
  return {
    type: "bool",
    evaluate(subject) {
      const value = left.evaluate(subject);
      const all = right.evaluate(subject);
      if (value === undefined || all === undefined) return undefined;
      if (isMap) return (all as CelMap).get(value as string) !== undefined;
      return (all as readonly unknown[]).includes(value);
    },
  };
}

const comparisons: Partial<Record<CelOperator, (a: never, b: never) => boolean>> = {
  "==": (a: unknown, b: unknown) => a === b,
  "!=": (a: unknown, b: unknown) => a !== b,
  "<": (a: number, b: number) => a < b,
  "<=": (a: number, b: number) => a <= b,
  ">": (a: number, b: number) => a > b,
  ">=": (a: number, b: number) => a >= b,
};

function comparison<S>(
  operator: CelOperator,
  left: CelProgram<S>,
  right: CelProgram<S>,
  wrong: () => CelError,
): CelProgram<S> {
  const isAlike = left.type === right.type || (isNumeric(left.type) && isNumeric(right.type));
  if (!isAlike || left.type === "map" || itemTypeOf(left.type) !== undefined) throw wrong();
  const compare = comparisons[operator] as (a: unknown, b: unknown) => boolean;
  return both(left, right, "bool", compare);
}

function arithmetic<S>(
  operator: CelOperator,
  left: CelProgram<S>,
  right: CelProgram<S>,
  wrong: () => CelError,
): CelProgram<S> {
  const { type } = left;
  if (type !== right.type) throw wrong();
  if (type === "string" && operator === "+") {
    return both(left, right, type, (a: string, b: string) => a + b);
  }
  if (!isNumeric(type) || (operator === "%" && type === "double")) throw wrong();
  const isInt = type === "int";
  return both(left, right, type, (a: number, b: number) => {
    const value = numeric(operator, a, b);
    if (!isInt) return value;
    const whole = Math.trunc(value);
    return Number.isSafeInteger(whole) ? whole : undefined;
  });
}

function numeric(operator: CelOperator, a: number, b: number): number {
  if (operator === "+") return a + b;
  if (operator === "-") return a - b;
  if (operator === "*") return a * b;
  return operator === "/" ? a / b : a % b;
}

function both<S, V extends string | number | boolean>(
  left: CelProgram<S>,
  right: CelProgram<S>,
  type: CelType,
  apply: (a: V, b: V) => string | number | boolean | undefined,
): CelProgram<S> {
  return {
    type,
    evaluate(subject) {
      const a = left.evaluate(subject);
      const b = right.evaluate(subject);
      return a === undefined || b === undefined ? undefined : apply(a as V, b as V);
    },
  };
}
