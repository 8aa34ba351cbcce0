import type { CelScalar } from "./cel-node.ts";

/** A map holds strings by name; a list is of one kind of scalar, and "[]" is empty. */
export type CelType = CelScalar | "map" | `${CelScalar}[]` | "[]";

export type CelValue = string | number | boolean | CelMap | readonly (string | number | boolean)[];

/** What is looked up in by name, as the fields of a message. */
export interface CelMap {
  get(name: string): string | undefined;
}

/** Undefined where there is no value: an error in CEL, which `&&`, `||`, `?:` and `has` may get around. */
export type CelReader<S> = (subject: S) => CelValue | undefined;

/** Something an expression may name. */
export interface CelAttribute<S> {
  readonly type: CelType;
  read(subject: S): CelValue | undefined;
}

/** What an expression is compiled against. */
export interface CelScope<S> {
  /** By its whole name (`request.host`); undefined where there is none, or it only begins others'. */
  attribute(name: string): CelAttribute<S> | undefined;
  /** Whether any attribute's name begins so (`request`). */
  isPrefix(name: string): boolean;
  /** Whether expressions may make text, by `string( )` and `+`: Envoy leaves it out of conditions. */
  readonly makesText: boolean;
  /** A pattern in RE2 syntax that finds itself anywhere in a text. @throws for a bad one */
  regex(pattern: string): (text: string) => boolean;
}

export interface CelProgram<S> {
  readonly type: CelType;
  evaluate: CelReader<S>;
}

export const isNumeric = (type: CelType): boolean => type === "int" || type === "double";

/** What a list has in it; undefined for what is no list. */
export function itemTypeOf(type: CelType): CelScalar | "" | undefined {
  return type.endsWith("[]") ? (type.slice(0, -2) as CelScalar | "") : undefined;
}
