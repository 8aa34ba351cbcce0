import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { ApiRefusal } from "./refusal.ts";
import type { AnyRoute } from "./route.ts";
import { canBeAbsent, type Schema, type Shape } from "./schema.ts";

const ajv = new Ajv({ strict: false, validateFormats: false });
/** Compiled with the first request that needs them. */
const validators = new Map<Schema<unknown>, ValidateFunction>();

/** @throws ApiRefusal 400, which names the parameter and what it should be */
export function readParams(
  { params = {} }: AnyRoute,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  for (const [name, schema] of Object.entries(params)) check(schema, given[name], name);
  return given;
}

/** Typed as the route's schemas have it; what the route does not know is refused. @throws ApiRefusal 400 */
export function readQuery(
  { query = {} }: AnyRoute,
  given: URLSearchParams,
): Readonly<Record<string, unknown>> {
  const unknown = [...given.keys()].find((name) => !Object.hasOwn(query, name));
  if (unknown !== undefined) {
    const known = Object.keys(query).join(", ") || "none";
    throw new ApiRefusal(400, { error: `there is no parameter ${unknown.slice(0, 100)}; known: ${known}` });
  }
  return Object.fromEntries(Object.keys(query).flatMap((name) => readParameter(query, name, given)));
}

/** @throws ApiRefusal 400 */
export function readBody({ id, body }: AnyRoute, given: unknown): unknown {
  if (body === undefined) {
    if (given === undefined) return undefined;
    throw new ApiRefusal(400, { error: `${id} takes no body` });
  }
  check(body, given, "");
  return given;
}

/** The revision of `If-Match: "12"`. @throws ApiRefusal 400 */
export function readIfMatch(route: AnyRoute, given: string | undefined): number | undefined {
  if (given === undefined || given === "*") return undefined;
  if (!route.takesIfMatch) throw new ApiRefusal(400, { error: `${route.id} takes no If-Match` });
  const revision = /^"(\d{1,15})"$/.exec(given)?.[1];
  if (revision !== undefined) return Number(revision);
  throw new ApiRefusal(400, {
    error: "If-Match is not a revision",
    hint: 'write the number of an ETag or a revision in quotes: If-Match: "12"',
  });
}

function readParameter(
  query: Shape,
  name: string,
  given: URLSearchParams,
): readonly (readonly [string, unknown])[] {
  const schema = query[name]!;
  const texts = given.getAll(name);
  if (texts.length === 0 && canBeAbsent(schema)) return [];
  if (texts.length > 1 && schema.type !== "array") {
    throw new ApiRefusal(400, { error: `${name} is given more than once` });
  }
  const value = schema.type === "array" ? texts : typedValue(schema, texts[0]);
  check(schema, value, name);
  return [[name, value]];
}

/** Left as text where it is not of its type, for the check to refuse. */
function typedValue({ type }: Schema<unknown>, text: string | undefined): unknown {
  if (type === "integer") return text !== undefined && /^-?\d{1,16}$/.test(text) ? Number(text) : text;
  if (type === "boolean") return text === "true" ? true : text === "false" ? false : text;
  return text;
}

function check(schema: Schema<unknown>, value: unknown, name: string): void {
  let validate = validators.get(schema);
  if (!validate) {
    validate = ajv.compile(schema);
    validators.set(schema, validate);
  }
  if (validate(value)) return;
  throw new ApiRefusal(400, {
    error: `the request is not as the API has it: ${problemOf(validate.errors![0]!, name)}`,
    hint: "/api/v1/openapi.json describes it",
  });
}

/** `files[0].name must be string` */
function problemOf({ instancePath, message = "", params, keyword }: ErrorObject, name: string): string {
  const path = instancePath.replace(/\/(\d+)(?=\/|$)/g, "[$1]").replace(/\//g, ".");
  const place = `${name}${path}`.replace(/^\./, "") || "the body";
  if (keyword === "additionalProperties")
    return `${place} has no property ${String(params.additionalProperty).slice(0, 100)}`;
  if (keyword === "enum") return `${place} must be one of ${(params.allowedValues as string[]).join(", ")}`;
  return `${place} ${message}`;
}
