import { CelError, type CelNode } from "./cel-node.ts";
import { type CelProgram, type CelScope, type CelType, itemTypeOf } from "./cel-type.ts";

type Call = Extract<CelNode, { kind: "call" }>;
type Compile<S> = (node: CelNode) => CelProgram<S>;

const conversions: Readonly<Record<string, CelType>> = { string: "string", int: "int", double: "double" };
const tests: Readonly<Record<string, (text: string, part: string) => boolean>> = {
  contains: (text, part) => text.includes(part),
  startsWith: (text, part) => text.startsWith(part),
  endsWith: (text, part) => text.endsWith(part),
};

/** Functions and methods; others are refused by name. @throws CelError */
export function callOf<S>(node: Call, scope: CelScope<S>, compile: Compile<S>): CelProgram<S> {
  const { name, of, args, at } = node;
  const operands = of ? [of, ...args] : args;
  if (name === "has" && !of) return presence(node, compile);
  if (name === "matches") return matching(operands, at, scope, compile);
  if (name === "size" && operands.length === 1) return sizeOf(operands[0]!, compile);
  if (name === "string" && !scope.makesText) throw new CelError("string( ) is not supported here", at);
  if (!of && args.length === 1 && conversions[name]) return conversion(conversions[name], args[0]!, compile);
  if (of && args.length === 1 && tests[name]) return textTest(tests[name], operands, compile);
  throw new CelError(`the function ${name} with ${args.length} arguments is not supported`, at);
}

/** The field of a message or map; what stands before it must have a value. */
function presence<S>({ args, at }: Call, compile: Compile<S>): CelProgram<S> {
  const [field] = args;
  if (args.length !== 1 || field?.kind !== "select") throw new CelError("has( ) takes one field", at);
  const { evaluate } = compile(field);
  return { type: "bool", evaluate: (subject) => evaluate(subject) !== undefined };
}

function matching<S>(
  operands: readonly CelNode[],
  at: number,
  scope: CelScope<S>,
  compile: Compile<S>,
): CelProgram<S> {
  const [text, pattern] = operands;
  if (operands.length !== 2 || pattern?.kind !== "literal" || typeof pattern.value !== "string") {
    throw new CelError("matches takes one pattern, written out", at);
  }
  const { evaluate } = textOf(text!, compile);
  let finds: (text: string) => boolean;
  try {
    finds = scope.regex(pattern.value);
  } catch {
    throw new CelError(`"${pattern.value}" is not a pattern in RE2 syntax`, pattern.at);
  }
  return {
    type: "bool",
    evaluate(subject) {
      const value = evaluate(subject);
      return typeof value === "string" ? finds(value) : undefined;
    },
  };
}

function textOf<S>(node: CelNode, compile: Compile<S>): CelProgram<S> {
  const program = compile(node);
  if (program.type !== "string") throw new CelError(`text is expected, not ${program.type}`, node.at);
  return program;
}

function textTest<S>(
  test: (text: string, part: string) => boolean,
  operands: readonly CelNode[],
  compile: Compile<S>,
): CelProgram<S> {
  const [text, part] = operands.map((node) => textOf(node, compile).evaluate);
  return {
    type: "bool",
    evaluate(subject) {
      const whole = text!(subject);
      const sought = part!(subject);
      return typeof whole === "string" && typeof sought === "string" ? test(whole, sought) : undefined;
    },
  };
}

function sizeOf<S>(node: CelNode, compile: Compile<S>): CelProgram<S> {
  const { type, evaluate } = compile(node);
  if (type !== "string" && itemTypeOf(type) === undefined) {
    throw new CelError(`the size of ${type} is not supported`, node.at);
  }
  return {
    type: "int",
    evaluate(subject) {
      const value = evaluate(subject);
      if (typeof value === "string") return [...value].length;
      return Array.isArray(value) ? value.length : undefined;
    },
  };
}

function conversion<S>(to: CelType, node: CelNode, compile: Compile<S>): CelProgram<S> {
  const { type, evaluate } = compile(node);
  const isScalar = type === "string" || type === "int" || type === "double";
  if (!isScalar && !(type === "bool" && to === "string")) {
    throw new CelError(`${type} cannot be made ${to}`, node.at);
  }
  return {
    type: to,
    evaluate(subject) {
      const value = evaluate(subject);
      if (value === undefined) return undefined;
      if (to === "string") return String(value);
      const number = typeof value === "string" && value.trim() === "" ? Number.NaN : Number(value);
      if (to === "double") return Number.isNaN(number) ? undefined : number;
      const whole = typeof value === "string" && !Number.isInteger(number) ? Number.NaN : Math.trunc(number);
      return Number.isSafeInteger(whole) ? whole : undefined;
    },
  };
}
