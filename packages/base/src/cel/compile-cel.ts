import { callOf } from "./cel-calls.ts";
import { CelError, type CelNode } from "./cel-node.ts";
import { binaryOf } from "./cel-operators.ts";
import { type CelProgram, type CelScope, type CelType, isNumeric, itemTypeOf } from "./cel-type.ts";
import { parseCel } from "./parse-cel.ts";

/**
 * An expression as a ready-made function. Types are checked when it is compiled,
 * so that evaluating one never throws: where a value is missing the result is.
 *
 * @throws CelError naming what is wrong, or not supported
 */
export function compileCel<S>(text: string, scope: CelScope<S>): CelProgram<S> {
  return compileNode(parseCel(text), scope);
}

/** What a part of an expression needs to compile its own parts. */
export type CompileNode<S> = (node: CelNode) => CelProgram<S>;

function compileNode<S>(node: CelNode, scope: CelScope<S>): CelProgram<S> {
  const compile: CompileNode<S> = (part) => compileNode(part, scope);
  switch (node.kind) {
    case "literal": {
      const { type, value } = node;
      return { type, evaluate: () => value };
    }
    case "name":
    case "select":
      return attributeOf(node, scope, compile);
    case "index":
      return indexOf(node, compile);
    case "call":
      return callOf(node, scope, compile);
    case "unary":
      return unaryOf(node, compile);
    case "binary":
      return binaryOf(node, scope, compile);
    case "choice":
      return choiceOf(node, compile);
    case "list":
      return listOf(node, compile);
  }
}

/** `a.b.c`, where each part is a name. */
function dottedName(node: CelNode): string | undefined {
  if (node.kind === "name") return node.name;
  if (node.kind !== "select") return undefined;
  const before = dottedName(node.of);
  return before === undefined ? undefined : `${before}.${node.field}`;
}

function attributeOf<S>(
  node: Extract<CelNode, { kind: "name" | "select" }>,
  scope: CelScope<S>,
  compile: CompileNode<S>,
): CelProgram<S> {
  const name = dottedName(node);
  const attribute = name === undefined ? undefined : scope.attribute(name);
  if (attribute) return { type: attribute.type, evaluate: (subject) => attribute.read(subject) };
  if (node.kind === "select" && (name === undefined || scope.attribute(dottedName(node.of)!))) {
    const { type, evaluate } = compile(node.of);
    if (type === "map") return entryOf(evaluate, () => node.field);
  }
  if (name !== undefined && scope.isPrefix(name)) {
    throw new CelError(`${name} is not a value: name one of its fields`, node.at);
  }
  throw new CelError(`there is no attribute ${name ?? (node.kind === "select" ? node.field : "")}`, node.at);
}

function entryOf<S>(map: CelProgram<S>["evaluate"], key: CelProgram<S>["evaluate"]): CelProgram<S> {
  return {
    type: "string",
    evaluate(subject) {
      const name = key(subject);
      const fields = map(subject) as { get(name: string): string | undefined } | undefined;
      return typeof name === "string" ? fields?.get(name) : undefined;
    },
  };
}

function indexOf<S>(node: Extract<CelNode, { kind: "index" }>, compile: CompileNode<S>): CelProgram<S> {
  const of = compile(node.of);
  const key = compile(node.key);
  if (of.type === "map") {
    if (key.type !== "string") throw new CelError(`a name is text, not ${key.type}`, node.key.at);
    return entryOf(of.evaluate, key.evaluate);
  }
  throw new CelError(`${of.type} has no entries to choose by [ ]`, node.at);
}

function unaryOf<S>(node: Extract<CelNode, { kind: "unary" }>, compile: CompileNode<S>): CelProgram<S> {
  const { type, evaluate } = compile(node.of);
  if (node.operator === "!") {
    if (type !== "bool") throw new CelError(`! takes a truth value, not ${type}`, node.at);
    return {
      type,
      evaluate(subject) {
        const value = evaluate(subject);
        return value === undefined ? undefined : !value;
      },
    };
  }
  if (!isNumeric(type)) throw new CelError(`- takes a number, not ${type}`, node.at);
  return {
    type,
    evaluate(subject) {
      const value = evaluate(subject);
      return value === undefined ? undefined : -(value as number);
    },
  };
}

function choiceOf<S>(node: Extract<CelNode, { kind: "choice" }>, compile: CompileNode<S>): CelProgram<S> {
  const condition = compile(node.if);
  const then = compile(node.then);
  const otherwise = compile(node.else);
  if (condition.type !== "bool") throw new CelError(`? needs a truth value, not ${condition.type}`, node.at);
  if (then.type !== otherwise.type) {
    throw new CelError(`? gives ${then.type} or ${otherwise.type}: both must be of one type`, node.at);
  }
  return {
    type: then.type,
    evaluate(subject) {
      const value = condition.evaluate(subject);
      if (value === undefined) return undefined;
      return value ? then.evaluate(subject) : otherwise.evaluate(subject);
    },
  };
}

function listOf<S>(node: Extract<CelNode, { kind: "list" }>, compile: CompileNode<S>): CelProgram<S> {
  const items = node.items.map(compile);
  const [first] = items;
  const other = items.findIndex(({ type }) => type !== first!.type);
  if (other > 0)
    throw new CelError(`a list of ${first!.type} has ${items[other]!.type} in it`, node.items[other]!.at);
  if (first && (first.type === "map" || itemTypeOf(first.type) !== undefined)) {
    throw new CelError(`lists of ${first.type} are not supported`, node.at);
  }
  return {
    type: `${first?.type ?? ""}[]` as CelType,
    evaluate(subject) {
      const values: (string | number | boolean)[] = [];
      for (const { evaluate } of items) {
        const value = evaluate(subject);
        if (value === undefined) return undefined;
        values.push(value as string | number | boolean);
      }
      return values;
    },
  };
}
