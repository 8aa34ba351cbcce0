import type { Exchange } from "../layer/exchange.ts";
import { compileTextFormat, type LineRenderer, limited } from "./access-log-format.ts";
import { createOperator } from "./command-operators.ts";
import { parseFormat } from "./format-parser.ts";
import type { LineWriter } from "./line-writer.ts";

const encoded = (text: string): Uint8Array => Buffer.from(text);
const nothing = encoded("");
const lineEnd = encoded("\n");
const emptyObject = encoded("{}");
const objectEnd = encoded("}");
const emptyList = encoded("[]");
const listStart = encoded("[");
const listEnd = encoded("]");
const comma = encoded(",");
const absent = encoded("null");

/** Puts `before` and a value, or neither where there is none: whether there was one. */
type JsonWriter = (exchange: Exchange, line: LineWriter, before: Uint8Array) => boolean;

/**
 * Compiles a JSON format: values are command operators, text with operators in
 * it, or nested objects and lists. A value that is one operator keeps its type
 * (numbers stay numbers) and is null when missing, or left out with
 * `omitEmptyValues`. Keys come in alphabetical order, as Envoy writes them.
 *
 * @throws SyntaxError as `compileTextLine` does, or for a value of another type.
 */
export function compileJsonLine(
  fields: Readonly<Record<string, unknown>>,
  omitEmptyValues = false,
): LineRenderer {
  const write = compileObject(fields, omitEmptyValues);
  return (exchange, line) => {
    write(exchange, line, nothing);
    line.putEncoded(lineEnd);
  };
}

function compileObject(fields: Readonly<Record<string, unknown>>, omits: boolean): JsonWriter {
  const entries = Object.entries(fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => {
      const name = `${JSON.stringify(key)}:`;
      return { first: encoded(`{${name}`), later: encoded(`,${name}`), write: compileValue(value, omits) };
    });
  return (exchange, line, before) => {
    line.putEncoded(before);
    let isEmpty = true;
    for (const { first, later, write } of entries) {
      if (write(exchange, line, isEmpty ? first : later)) isEmpty = false;
    }
    line.putEncoded(isEmpty ? emptyObject : objectEnd);
    return true;
  };
}

function compileValue(value: unknown, omits: boolean): JsonWriter {
  if (typeof value === "string") return compileText(value, omits);
  if (Array.isArray(value)) {
    const items = value.map((item) => compileValue(item, omits));
    return (exchange, line, before) => {
      line.putEncoded(before);
      for (let i = 0; i < items.length; i++) {
        const start = i === 0 ? listStart : comma;
        if (items[i]!(exchange, line, start)) continue;
        // What is missing keeps its place in a list.
        line.putEncoded(start);
        line.putEncoded(absent);
      }
      line.putEncoded(items.length === 0 ? emptyList : listEnd);
      return true;
    };
  }
  if (typeof value === "object" && value !== null)
    return compileObject(value as Record<string, unknown>, omits);
  const json = JSON.stringify(value);
  if (json === undefined) throw new SyntaxError(`${typeof value} cannot stand in a JSON log format`);
  const constant = encoded(json);
  return (_exchange, line, before) => {
    line.putEncoded(before);
    line.putEncoded(constant);
    return true;
  };
}

function compileText(format: string, omits: boolean): JsonWriter {
  const parts = parseFormat(format);
  const [only] = parts;
  if (parts.length !== 1 || only?.kind !== "command") {
    const text = compileTextFormat(format, omits);
    return (exchange, line, before) => {
      line.putEncoded(before);
      line.putQuoted(text(exchange));
      return true;
    };
  }
  const read = limited(createOperator(only.name, only.argument), only.maxLength);
  return (exchange, line, before) => {
    const value = read(exchange);
    if (value === undefined && omits) return false;
    line.putEncoded(before);
    if (typeof value === "string") line.putQuoted(value);
    else if (typeof value === "number") line.putNumber(value);
    else if (value === undefined) line.putEncoded(absent);
    else line.put(value.json);
    return true;
  };
}
