/**
 * JSON Schemas that know the TypeScript type of what they admit, so that a shape
 * of the API is written once: requests are validated by it, the OpenAPI document
 * shows it, and the compiler checks what handlers and clients make of it.
 *
 * A schema is the JSON of draft 2020-12 itself; what is only for this program
 * stands under symbols, which JSON leaves out.
 *
 * @see https://spec.openapis.org/oas/v3.1.0#schema-object
 */
export interface Schema<T> {
  readonly [admitted]?: T;
  /** Shown under this name in the document's components. */
  readonly [schemaName]?: string;
  readonly [keyword: string]: unknown;
}

/** What a schema admits. */
export type Infer<S> = S extends Schema<infer T> ? T : never;

/** Properties of an object, or parameters, by name. */
export type Shape = Readonly<Record<string, Schema<unknown>>>;

export type Admitted<S extends Shape> = Flat<
  { readonly [K in keyof S as S[K] extends Optional ? never : K]: Infer<S[K]> } & {
    readonly [K in keyof S as S[K] extends Optional ? K : never]?: Infer<S[K]>;
  }
>;

export interface ObjectSchema<S extends Shape> extends Schema<Admitted<S>> {
  /** To be spread into an object that has more. */
  readonly properties: S;
}

interface Optional {
  readonly [isOptional]: true;
}

type Flat<T> = { [K in keyof T]: T[K] };

declare const admitted: unique symbol;
export const schemaName = Symbol("name");
const isOptional = Symbol("optional");

interface TextLimits {
  readonly maxLength?: number;
  readonly minLength?: number;
  readonly pattern?: string;
}

interface NumberLimits {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: number;
}

export function text(description?: string, limits: TextLimits = {}): Schema<string> {
  return { type: "string", ...described(description), ...limits };
}

export function integer(description?: string, limits: NumberLimits = {}): Schema<number> {
  return { type: "integer", ...described(description), ...limits };
}

export function number(description?: string, limits: NumberLimits = {}): Schema<number> {
  return { type: "number", ...described(description), ...limits };
}

export function flag(description?: string): Schema<boolean> {
  return { type: "boolean", ...described(description) };
}

/** One of these words. */
export function choice<const T extends string>(of: readonly T[], description?: string): Schema<T> {
  return { type: "string", enum: of, ...described(description) };
}

export function list<T>(
  of: Schema<T>,
  description?: string,
  limits: { readonly maxItems?: number; readonly minItems?: number } = {},
): Schema<readonly T[]> {
  return { type: "array", items: of, ...described(description), ...limits };
}

/** Any keys, values alike. */
export function table<T>(of: Schema<T>, description?: string): Schema<Readonly<Record<string, T>>> {
  return { type: "object", additionalProperties: of, ...described(description) };
}

/** Any JSON object. */
export type JsonObject = { readonly [key: string]: unknown };

export function anyObject(description?: string): Schema<JsonObject> {
  return { type: "object", additionalProperties: true, ...described(description) };
}

export function nullable<T>(of: Schema<T>): Schema<T | null> {
  return { anyOf: [of, { type: "null" }] };
}

export function either<A, B>(a: Schema<A>, b: Schema<B>): Schema<A | B> {
  return { anyOf: [a, b] };
}

/** May be absent. */
export function optional<T>(of: Schema<T>): Schema<T> & Optional {
  return { ...of, [isOptional]: true };
}

/** As part of an answer: a later version may say more. */
export function object<S extends Shape>(
  name: string | undefined,
  properties: S,
  description?: string,
): ObjectSchema<S> {
  const required = Object.keys(properties).filter((key) => !(isOptional in properties[key]!));
  return {
    type: "object",
    ...described(description),
    properties,
    ...(required.length > 0 && { required }),
    ...(name !== undefined && { [schemaName]: name }),
  };
}

/** As part of a request: what is not known is refused, never ignored. */
export function asked<S extends Shape>(
  name: string | undefined,
  properties: S,
  description?: string,
): ObjectSchema<S> {
  return { ...object(name, properties, description), additionalProperties: false };
}

/** Whether a parameter may be left out. */
export function canBeAbsent(schema: Schema<unknown>): boolean {
  return isOptional in schema;
}

function described(description: string | undefined): { readonly description?: string } {
  return description === undefined ? {} : { description };
}
