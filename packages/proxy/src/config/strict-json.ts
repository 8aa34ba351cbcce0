import type { DescEnum, DescField, DescMessage, Registry } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { at, atKey, type Issues, nearest } from "./issues.ts";

/**
 * Checks a JSON value against a protobuf message and reports everything that
 * does not fit: unknown fields, wrong types, unknown enum values and extension
 * types, two members of one oneof. Field names count in snake_case and camelCase.
 *
 * Comes before protobuf's own JSON reader because that one stops at the first
 * mistake and does not say where it is.
 */
export function checkJson(
  schema: DescMessage,
  json: unknown,
  registry: Registry,
  issues: Issues,
  path = "",
): void {
  const wellKnown = wellKnownTypes.get(schema.typeName);
  if (wellKnown) {
    wellKnown(json, path, issues);
    return;
  }
  if (schema.typeName === "google.protobuf.Any") {
    checkAny(json, registry, issues, path);
    return;
  }
  if (!isObject(json)) {
    issues.add(path, `expected a ${schema.name}, a mapping, not ${describe(json)}`);
    return;
  }
  checkFields(schema, json, registry, issues, path);
}

function checkFields(
  schema: DescMessage,
  json: Readonly<Record<string, unknown>>,
  registry: Registry,
  issues: Issues,
  path: string,
): void {
  const fields = fieldsOf(schema);
  const setOneofs = new Map<string, string>();
  const seen = new Set<DescField>();
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
    if (seen.has(field)) {
      issues.add(at(path, key), `\`${field.name}\` is written twice, once in each spelling`, "keep one");
      continue;
    }
    seen.add(field);
    if (field.oneof) {
      const other = setOneofs.get(field.oneof.name);
      if (other)
        issues.add(at(path, key), `excludes \`${other}\`: only one of them may be set`, "remove one");
      setOneofs.set(field.oneof.name, key);
    }
    if (isSwitch(field, value)) continue;
    checkField(field, value, registry, issues, at(path, key));
  }
}

/** `FilterConfig.config: {}` says that the filter takes part: the one empty `Any` that means something. */
function isSwitch(field: DescField, value: unknown): boolean {
  return (
    field.name === "config" &&
    field.parent.typeName === "envoy.config.route.v3.FilterConfig" &&
    isObject(value) &&
    Object.keys(value).length === 0
  );
}

function checkField(field: DescField, json: unknown, registry: Registry, issues: Issues, path: string): void {
  if (field.fieldKind === "list") {
    if (!Array.isArray(json)) {
      issues.add(path, `expected a list, not ${describe(json)}`, "begin each item with `-`");
      return;
    }
    json.forEach((item: unknown, i) => {
      checkValue(field, item, registry, issues, `${path}[${i}]`);
    });
  } else if (field.fieldKind === "map") {
    if (!isObject(json)) {
      issues.add(path, `expected a mapping, not ${describe(json)}`);
      return;
    }
    for (const [key, item] of Object.entries(json)) {
      checkValue(field, item, registry, issues, atKey(path, key));
    }
  } else {
    checkValue(field, json, registry, issues, path);
  }
}

function checkValue(field: DescField, json: unknown, registry: Registry, issues: Issues, path: string): void {
  if (field.message) checkJson(field.message, json, registry, issues, path);
  else if (field.enum) checkEnum(field.enum, json, issues, path);
  else if (field.scalar !== undefined) checkScalar(field.scalar, json, issues, path);
}

function checkAny(json: unknown, registry: Registry, issues: Issues, path: string): void {
  if (!isObject(json)) {
    issues.add(path, `expected a mapping with "@type", not ${describe(json)}`);
    return;
  }
  const type = json["@type"];
  if (typeof type !== "string") {
    issues.add(path, `lacks "@type"`, 'add "@type": type.googleapis.com/<message name>');
    return;
  }
  const name = type.slice(type.lastIndexOf("/") + 1);
  const schema = registry.getMessage(name);
  if (!schema) {
    reportUnknownType(name, registry, issues, at(path, "@type"));
    return;
  }
  if (wellKnownTypes.has(name)) checkJson(schema, json.value, registry, issues, at(path, "value"));
  else checkFields(schema, json, registry, issues, path);
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

function checkEnum(schema: DescEnum, json: unknown, issues: Issues, path: string): void {
  if (typeof json === "number" && schema.values.some((value) => value.number === json)) return;
  if (typeof json === "string" && schema.values.some((value) => value.name === json)) return;
  const names = schema.values.map((value) => value.name);
  const near = typeof json === "string" ? nearest(json, names) : undefined;
  issues.add(
    path,
    `${describe(json)} is not a ${schema.name}`,
    near ? `did you mean ${near}?` : `one of ${names.slice(0, 10).join(", ")}`,
  );
}

function checkScalar(type: ScalarType, json: unknown, issues: Issues, path: string): void {
  switch (type) {
    case ScalarType.STRING:
      if (typeof json !== "string")
        issues.add(path, `expected text, not ${describe(json)}`, "put it in quotes");
      return;
    case ScalarType.BOOL:
      if (typeof json !== "boolean") issues.add(path, `expected true or false, not ${describe(json)}`);
      return;
    case ScalarType.BYTES:
      if (typeof json !== "string" || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(json)) {
        issues.add(path, `expected bytes in base64, not ${describe(json)}`);
      }
      return;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      if (!isNumeric(json)) issues.add(path, `expected a number, not ${describe(json)}`);
      return;
    default: {
      const range = integerRanges.get(type);
      if (!isNumeric(json) || !Number.isInteger(Number(json))) {
        issues.add(path, `expected a whole number, not ${describe(json)}`);
      } else if (range && (Number(json) < range[0] || Number(json) > range[1])) {
        issues.add(path, `${describe(json)} is out of range`, `between ${range[0]} and ${range[1]}`);
      }
    }
  }
}

const unsigned32: readonly [number, number] = [0, 2 ** 32 - 1];
const signed32: readonly [number, number] = [-(2 ** 31), 2 ** 31 - 1];

/** 64-bit limits are left to the protobuf reader: a double cannot hold them. */
const integerRanges = new Map<ScalarType, readonly [number, number]>([
  [ScalarType.UINT32, unsigned32],
  [ScalarType.FIXED32, unsigned32],
  [ScalarType.INT32, signed32],
  [ScalarType.SINT32, signed32],
  [ScalarType.SFIXED32, signed32],
]);

type Check = (json: unknown, path: string, issues: Issues) => void;

function scalarCheck(type: ScalarType): Check {
  return (json, path, issues) => {
    checkScalar(type, json, issues, path);
  };
}

const anything: Check = () => {};

const wellKnownTypes = new Map<string, Check>([
  ["google.protobuf.BoolValue", scalarCheck(ScalarType.BOOL)],
  ["google.protobuf.StringValue", scalarCheck(ScalarType.STRING)],
  ["google.protobuf.BytesValue", scalarCheck(ScalarType.BYTES)],
  ["google.protobuf.UInt32Value", scalarCheck(ScalarType.UINT32)],
  ["google.protobuf.Int32Value", scalarCheck(ScalarType.INT32)],
  ["google.protobuf.UInt64Value", scalarCheck(ScalarType.UINT64)],
  ["google.protobuf.Int64Value", scalarCheck(ScalarType.INT64)],
  ["google.protobuf.DoubleValue", scalarCheck(ScalarType.DOUBLE)],
  ["google.protobuf.FloatValue", scalarCheck(ScalarType.FLOAT)],
  ["google.protobuf.Duration", checkDuration],
  ["google.protobuf.Timestamp", scalarCheck(ScalarType.STRING)],
  ["google.protobuf.FieldMask", scalarCheck(ScalarType.STRING)],
  ["google.protobuf.Struct", checkStruct],
  ["google.protobuf.Value", anything],
  ["google.protobuf.ListValue", anything],
]);

function checkDuration(json: unknown, path: string, issues: Issues): void {
  if (typeof json === "string" && /^-?\d{1,12}(\.\d{1,9})?s$/.test(json)) return;
  issues.add(path, `expected a duration, not ${describe(json)}`, 'seconds with a final "s", e.g. 0.25s');
}

function checkStruct(json: unknown, path: string, issues: Issues): void {
  if (!isObject(json)) issues.add(path, `expected a mapping, not ${describe(json)}`);
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

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function isNumeric(json: unknown): boolean {
  if (typeof json === "number") return Number.isFinite(json);
  return typeof json === "string" && json !== "" && Number.isFinite(Number(json));
}

function describe(json: unknown): string {
  if (json === null || json === undefined) return "nothing";
  if (Array.isArray(json)) return "a list";
  if (typeof json === "object") return "a mapping";
  const text = JSON.stringify(json);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
