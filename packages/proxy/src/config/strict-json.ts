import type { DescField, DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import { at, atKey, type Issues, nearest } from "./issues.ts";
import { describeJson, isJsonObject, readEnum, readScalar, wellKnownTypes } from "./json-scalars.ts";

/**
 * Checks a JSON value against a protobuf message, reports everything that does
 * not fit (unknown fields, wrong types, unknown enum values and extension types,
 * two members of one oneof) and gives it as protobuf's own JSON reader takes it.
 * Field names count in snake_case and camelCase; values in the forms Envoy takes.
 *
 * Comes before that reader because it stops at the first mistake and does not
 * say where it is.
 */
export function strictJson(
  schema: DescMessage,
  json: unknown,
  registry: Registry,
  issues: Issues,
  path = "",
): JsonValue {
  return readMessage(schema, json, registry, issues, path) as JsonValue;
}

function readMessage(
  schema: DescMessage,
  json: unknown,
  registry: Registry,
  issues: Issues,
  path: string,
): unknown {
  const wellKnown = wellKnownTypes.get(schema.typeName);
  if (wellKnown) return wellKnown(json, path, issues);
  if (schema.typeName === "google.protobuf.Any") return readAny(json, registry, issues, path);
  if (!isJsonObject(json)) {
    issues.add(path, `expected a ${schema.name}, a mapping, not ${describeJson(json)}`);
    return json;
  }
  return readFields(schema, json, registry, issues, path);
}

function readFields(
  schema: DescMessage,
  json: Readonly<Record<string, unknown>>,
  registry: Registry,
  issues: Issues,
  path: string,
): unknown {
  const fields = fieldsOf(schema);
  const setOneofs = new Map<string, string>();
  const values = new Map<DescField, unknown>();
  for (const [key, value] of Object.entries(json)) {
    if (key === "@type") continue;
    const field = fields.get(key);
    if (!field) {
      const near = nearest(
        key,
        schema.fields.map((f) => f.name),
      );
      issues.add(
        at(path, key),
        `unknown field of ${schema.typeName}`,
        near ? `did you mean \`${near}\`?` : "see the Envoy v3 API reference for its fields",
      );
      continue;
    }
    if (value === null) continue;
    if (values.has(field)) {
      issues.add(at(path, key), `\`${field.name}\` is written twice, once in each spelling`, "keep one");
      continue;
    }
    if (field.oneof) {
      const other = setOneofs.get(field.oneof.name);
      if (other)
        issues.add(at(path, key), `excludes \`${other}\`: only one of them may be set`, "remove one");
      setOneofs.set(field.oneof.name, key);
    }
    values.set(
      field,
      isSwitch(field, value) ? value : readField(field, value, registry, issues, at(path, key)),
    );
  }
  const type = json["@type"];
  return {
    ...(type !== undefined && { "@type": type }),
    ...Object.fromEntries(Array.from(values, ([field, value]) => [field.name, value])),
  };
}

/** `FilterConfig.config: {}` says that the filter takes part: the one empty `Any` that means something. */
function isSwitch(field: DescField, value: unknown): boolean {
  return (
    field.name === "config" &&
    field.parent.typeName === "envoy.config.route.v3.FilterConfig" &&
    isJsonObject(value) &&
    Object.keys(value).length === 0
  );
}

function readField(
  field: DescField,
  json: unknown,
  registry: Registry,
  issues: Issues,
  path: string,
): unknown {
  if (field.fieldKind === "list") {
    if (!Array.isArray(json)) {
      issues.add(path, `expected a list, not ${describeJson(json)}`, "begin each item with `-`");
      return json;
    }
    return json.map((item: unknown, i) => readValue(field, item, registry, issues, `${path}[${i}]`));
  }
  if (field.fieldKind === "map") {
    if (!isJsonObject(json)) {
      issues.add(path, `expected a mapping, not ${describeJson(json)}`);
      return json;
    }
    return Object.fromEntries(
      Object.entries(json).map(([key, item]) => [
        key,
        readValue(field, item, registry, issues, atKey(path, key)),
      ]),
    );
  }
  return readValue(field, json, registry, issues, path);
}

function readValue(
  field: DescField,
  json: unknown,
  registry: Registry,
  issues: Issues,
  path: string,
): unknown {
  if (field.message) return readMessage(field.message, json, registry, issues, path);
  if (field.enum) return readEnum(field.enum, json, path, issues);
  return field.scalar === undefined ? json : readScalar(field.scalar, json, path, issues);
}

function readAny(json: unknown, registry: Registry, issues: Issues, path: string): unknown {
  if (!isJsonObject(json)) {
    issues.add(path, `expected a mapping with "@type", not ${describeJson(json)}`);
    return json;
  }
  const type = json["@type"];
  if (typeof type !== "string") {
    issues.add(path, `lacks "@type"`, 'add "@type": type.googleapis.com/<message name>');
    return json;
  }
  const name = type.slice(type.lastIndexOf("/") + 1);
  const schema = registry.getMessage(name);
  if (!schema) {
    reportUnknownType(name, registry, issues, at(path, "@type"));
    return json;
  }
  if (!wellKnownTypes.has(name)) return readFields(schema, json, registry, issues, path);
  const value = readMessage(schema, json.value, registry, issues, at(path, "value"));
  return { "@type": type, value };
}

/** Says that an extension is not implemented, naming the nearest that is. */
export function reportUnknownType(name: string, registry: Registry, issues: Issues, path: string): void {
  const known: string[] = [];
  for (const type of registry) if (type.kind === "message") known.push(type.typeName);
  const near = nearest(name, known);
  issues.add(
    path,
    `${name} is not implemented by this proxy`,
    near ? `did you mean ${near}?` : "remove this extension",
  );
}

/** Fields by either spelling, once per message type. */
const fieldTables = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

function fieldsOf(schema: DescMessage): ReadonlyMap<string, DescField> {
  let table = fieldTables.get(schema);
  if (!table) {
    table = new Map(
      schema.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]),
    );
    fieldTables.set(schema, table);
  }
  return table;
}
