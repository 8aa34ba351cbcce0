/** What stands in an expression. `at` is where, counted in characters from 0. */
export type CelNode = { readonly at: number } & (
  | { readonly kind: "literal"; readonly type: CelScalar; readonly value: string | number | boolean }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "select"; readonly of: CelNode; readonly field: string }
  | { readonly kind: "index"; readonly of: CelNode; readonly key: CelNode }
  | { readonly kind: "call"; readonly name: string; readonly of?: CelNode; readonly args: readonly CelNode[] }
  | { readonly kind: "unary"; readonly operator: "!" | "-"; readonly of: CelNode }
  | {
      readonly kind: "binary";
      readonly operator: CelOperator;
      readonly left: CelNode;
      readonly right: CelNode;
    }
  | { readonly kind: "choice"; readonly if: CelNode; readonly then: CelNode; readonly else: CelNode }
  | { readonly kind: "list"; readonly items: readonly CelNode[] }
);

export type CelScalar = "string" | "int" | "double" | "bool";
export type CelOperator =
  | "||"
  | "&&"
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "in"
  | "+"
  | "-"
  | "*"
  | "/"
  | "%";

/** An expression that is wrong, or says what is not done here; the message names it. */
export class CelError extends SyntaxError {
  constructor(message: string, at: number) {
    super(`${message}, at character ${at + 1}`);
    this.name = "CelError";
  }
}
