import type { DescEnum } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { at, type Issues, nearest } from "./issues.ts";

/** Checks a value and gives it in protobuf's own JSON form; what does not fit is reported and given as it is. */
export type JsonReader = (json: unknown, path: string, issues: Issues) => unknown;

/** Enum names count in any case, and their numbers as text, as in Envoy. */
export function readEnum(schema: DescEnum, json: unknown, path: string, issues: Issues): unknown {
  const wanted = typeof json === "string" ? json.toUpperCase() : undefined;
  const known = schema.values.find(({ name, number }) =>
    wanted === undefined ? number === json : name.toUpperCase() === wanted || `${number}` === wanted,
  );
  if (known) return known.number;
  const names = schema.values.map((value) => value.name);
  const near = typeof json === "string" ? nearest(json, names) : undefined;
  issues.add(
    path,
    `${describeJson(json)} is not a ${schema.name}`,
    near ? `did you mean ${near}?` : `one of ${names.slice(0, 10).join(", ")}`,
  );
  return json;
}

export function readScalar(type: ScalarType, json: unknown, path: string, issues: Issues): unknown {
  switch (type) {
    case ScalarType.STRING:
      if (typeof json !== "string")
        issues.add(path, `expected text, not ${describeJson(json)}`, "put it in quotes");
      return json;
    case ScalarType.BOOL:
      if (json === "true" || json === "false") return json === "true";
      if (typeof json !== "boolean") issues.add(path, `expected true or false, not ${describeJson(json)}`);
      return json;
    case ScalarType.BYTES:
      if (typeof json !== "string" || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(json)) {
        issues.add(path, `expected bytes in base64, not ${describeJson(json)}`);
      }
      return json;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      if (!isNumeric(json)) issues.add(path, `expected a number, not ${describeJson(json)}`);
      return json;
    default: {
      const range = integerRanges.get(type)!;
      const whole = wholeNumber(json);
      if (whole === undefined) issues.add(path, `expected a whole number, not ${describeJson(json)}`);
      else if (whole < range[0] || whole > range[1]) {
        issues.add(path, `${describeJson(json)} is out of range`, `between ${range[0]} and ${range[1]}`);
      }
      return json;
    }
  }
}

const signed32: readonly [bigint, bigint] = [-(2n ** 31n), 2n ** 31n - 1n];
const unsigned32: readonly [bigint, bigint] = [0n, 2n ** 32n - 1n];
const signed64: readonly [bigint, bigint] = [-(2n ** 63n), 2n ** 63n - 1n];
const unsigned64: readonly [bigint, bigint] = [0n, 2n ** 64n - 1n];

const integerRanges = new Map<ScalarType, readonly [bigint, bigint]>([
  [ScalarType.UINT32, unsigned32],
  [ScalarType.FIXED32, unsigned32],
  [ScalarType.INT32, signed32],
  [ScalarType.SINT32, signed32],
  [ScalarType.SFIXED32, signed32],
  [ScalarType.UINT64, unsigned64],
  [ScalarType.FIXED64, unsigned64],
  [ScalarType.INT64, signed64],
  [ScalarType.SINT64, signed64],
  [ScalarType.SFIXED64, signed64],
]);

/** A scalar in a message of its own: alone, as protobuf writes it, or as that message (`{ value: 1 }`), as Envoy takes it too. */
function wrapped(type: ScalarType): JsonReader {
  return (json, path, issues) => {
    if (!isJsonObject(json)) return readScalar(type, json, path, issues);
    reportOthers(json, ["value"], path, issues);
    return readScalar(type, json.value, at(path, "value"), issues);
  };
}

const text: JsonReader = (json, path, issues) => readScalar(ScalarType.STRING, json, path, issues);
const anything: JsonReader = (json) => json;

/** Messages whose JSON is not that of their fields. */
export const wellKnownTypes: ReadonlyMap<string, JsonReader> = new Map([
  ["google.protobuf.BoolValue", wrapped(ScalarType.BOOL)],
  ["google.protobuf.StringValue", wrapped(ScalarType.STRING)],
  ["google.protobuf.BytesValue", wrapped(ScalarType.BYTES)],
  ["google.protobuf.UInt32Value", wrapped(ScalarType.UINT32)],
  ["google.protobuf.Int32Value", wrapped(ScalarType.INT32)],
  ["google.protobuf.UInt64Value", wrapped(ScalarType.UINT64)],
  ["google.protobuf.Int64Value", wrapped(ScalarType.INT64)],
  ["google.protobuf.DoubleValue", wrapped(ScalarType.DOUBLE)],
  ["google.protobuf.FloatValue", wrapped(ScalarType.FLOAT)],
  ["google.protobuf.Duration", readDuration],
  ["google.protobuf.Timestamp", text],
  ["google.protobuf.FieldMask", text],
  ["google.protobuf.Struct", readStruct],
  ["google.protobuf.Value", anything],
  ["google.protobuf.ListValue", anything],
]);

/** `1.5s`, or `{ seconds: 1, nanos: 500000000 }`, as Envoy takes it too. */
function readDuration(json: unknown, path: string, issues: Issues): unknown {
  if (typeof json === "string" && /^-?\d{1,12}(\.\d{1,9})?s$/.test(json)) return json;
  if (!isJsonObject(json)) {
    issues.add(
      path,
      `expected a duration, not ${describeJson(json)}`,
      'seconds with a final "s", e.g. 0.25s',
    );
    return json;
  }
  reportOthers(json, ["seconds", "nanos"], path, issues);
  const seconds = wholeNumber(json.seconds ?? 0);
  const nanos = wholeNumber(json.nanos ?? 0);
  if (seconds === undefined || seconds < 0n || seconds >= 10n ** 12n) {
    issues.add(at(path, "seconds"), `expected whole seconds, not ${describeJson(json.seconds)}`);
  }
  if (nanos === undefined || nanos < 0n || nanos >= 10n ** 9n) {
    issues.add(at(path, "nanos"), `expected 0 to 999999999, not ${describeJson(json.nanos)}`);
  }
  return `${seconds}.${`${nanos}`.padStart(9, "0")}s`;
}

function readStruct(json: unknown, path: string, issues: Issues): unknown {
  if (!isJsonObject(json)) issues.add(path, `expected a mapping, not ${describeJson(json)}`);
  return json;
}

function reportOthers(
  json: Readonly<Record<string, unknown>>,
  known: readonly string[],
  path: string,
  issues: Issues,
): void {
  for (const key of Object.keys(json)) {
    if (!known.includes(key)) issues.add(at(path, key), "unknown field", `one of ${known.join(", ")}`);
  }
}

export function isJsonObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

const numberText = /^-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?$/;

function isNumeric(json: unknown): boolean {
  if (typeof json === "number") return Number.isFinite(json);
  return typeof json === "string" && numberText.test(json);
}

function wholeNumber(json: unknown): bigint | undefined {
  if (typeof json === "string" && /^-?\d{1,40}$/.test(json)) return BigInt(json);
  return isNumeric(json) && Number.isInteger(Number(json)) ? BigInt(Number(json)) : undefined;
}

export function describeJson(json: unknown): string {
  if (json === null || json === undefined) return "nothing";
  if (Array.isArray(json)) return "a list";
  if (typeof json === "object") return "a mapping";
  const text = JSON.stringify(json);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
