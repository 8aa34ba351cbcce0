import { CelError, type CelNode, type CelOperator } from "./cel-node.ts";
import { type CelToken, celTokens } from "./cel-tokens.ts";

const maxLength = 4_096;
const maxDepth = 32;

/** Weakest first; those of one line bind alike, to the left. */
const levels: readonly (readonly CelOperator[])[] = [
  ["||"],
  ["&&"],
  ["==", "!=", "<", "<=", ">", ">=", "in"],
  ["+", "-"],
  ["*", "/", "%"],
];

/**
 * Reads an expression of the Common Expression Language: literals, names,
 * fields, calls, lists and operators. Maps, messages, bytes and unsigned
 * numbers are refused by name.
 *
 * @see https://github.com/google/cel-spec/blob/master/doc/langdef.md
 * @throws CelError
 */
export function parseCel(text: string): CelNode {
  if (text.length > maxLength) throw new CelError(`longer than ${maxLength} characters`, maxLength);
  const parser = new Parser(celTokens(text));
  return parser.whole();
}

class Parser {
  readonly #tokens: readonly CelToken[];
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly CelToken[]) {
    this.#tokens = tokens;
  }

  whole(): CelNode {
    const node = this.#expression();
    const rest = this.#peek();
    if (rest.kind !== "end") throw new CelError(`"${rest.text}" is not expected`, rest.at);
    return node;
  }

  #peek(): CelToken {
    return this.#tokens[this.#position]!;
  }

  #take(): CelToken {
    const token = this.#peek();
    if (token.kind !== "end") this.#position += 1;
    return token;
  }

  #isNext(text: string): boolean {
    const token = this.#peek();
    return token.text === text && (token.kind === "symbol" || token.kind === "name");
  }

  #skip(text: string): boolean {
    if (!this.#isNext(text)) return false;
    this.#position += 1;
    return true;
  }

  #expect(text: string): void {
    if (this.#skip(text)) return;
    const { text: found, kind, at } = this.#peek();
    throw new CelError(`"${text}" is missing${kind === "end" ? "" : ` before "${found}"`}`, at);
  }

  #expression(): CelNode {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw new CelError(`nested deeper than ${maxDepth}`, this.#peek().at);
    const condition = this.#binary(0);
    let node = condition;
    if (this.#skip("?")) {
      const then = this.#binary(0);
      this.#expect(":");
      node = { kind: "choice", at: condition.at, if: condition, then, else: this.#expression() };
    }
    this.#depth -= 1;
    return node;
  }

  #binary(level: number): CelNode {
    const operators = levels[level];
    if (!operators) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = operators.find((one) => this.#isNext(one));
      if (!operator) return left;
      const { at } = this.#take();
      left = { kind: "binary", at, operator, left, right: this.#binary(level + 1) };
    }
  }

  #unary(): CelNode {
    const { text, kind, at } = this.#peek();
    if (kind !== "symbol" || (text !== "!" && text !== "-")) return this.#member();
    this.#take();
    this.#depth += 1;
    if (this.#depth > maxDepth) throw new CelError(`nested deeper than ${maxDepth}`, at);
    const node: CelNode = { kind: "unary", at, operator: text, of: this.#unary() };
    this.#depth -= 1;
    return node;
  }

  #member(): CelNode {
    let node = this.#primary();
    for (;;) {
      const { at } = this.#peek();
      if (this.#skip(".")) {
        const field = this.#take();
        if (field.kind !== "name") throw new CelError("a name is missing after the dot", field.at);
        node = this.#skip("(")
          ? { kind: "call", at: field.at, name: field.text, of: node, args: this.#list(")") }
          : { kind: "select", at: field.at, of: node, field: field.text };
      } else if (this.#skip("[")) {
        const key = this.#expression();
        this.#expect("]");
        node = { kind: "index", at, of: node, key };
      } else return node;
    }
  }

  #primary(): CelNode {
    const token = this.#take();
    const { kind, text, at } = token;
    switch (kind) {
      case "int":
      case "double":
        return this.#number(token);
      case "string":
        return { kind: "literal", at, type: "string", value: text };
      case "name":
        return this.#name(token);
      case "end":
        throw new CelError("the expression ends too early", at);
    }
    if (text === "(") {
      const node = this.#expression();
      this.#expect(")");
      return node;
    }
    if (text === "[") return { kind: "list", at, items: this.#list("]") };
    if (text === "{") throw new CelError("maps are not supported", at);
    throw new CelError(`"${text}" is not expected`, at);
  }

  #number({ kind, text, at }: CelToken): CelNode {
    const follower = this.#peek();
    if (follower.kind === "name" && follower.at === at + text.length) {
      throw new CelError(`${text}${follower.text}: unsigned numbers are not supported`, at);
    }
    const value = Number(text);
    if (kind === "int" && !Number.isSafeInteger(value)) throw new CelError(`${text} is too large`, at);
    return { kind: "literal", at, type: kind === "int" ? "int" : "double", value };
  }

  #name({ text, at }: CelToken): CelNode {
    if (text === "true" || text === "false")
      return { kind: "literal", at, type: "bool", value: text === "true" };
    if (text === "null" || text === "in") throw new CelError(`${text} is not supported here`, at);
    const follower = this.#peek();
    if (follower.kind === "string" && follower.at === at + text.length) {
      throw new CelError(`${text}"…": bytes and raw strings are not supported`, at);
    }
    if (this.#skip("(")) return { kind: "call", at, name: text, args: this.#list(")") };
    if (this.#isNext("{")) throw new CelError(`messages (${text}) are not supported`, at);
    return { kind: "name", at, name: text };
  }

  #list(end: ")" | "]"): CelNode[] {
    const items: CelNode[] = [];
    while (!this.#isNext(end)) {
      items.push(this.#expression());
      if (!this.#skip(",")) break;
    }
    this.#expect(end);
    return items;
  }
}
