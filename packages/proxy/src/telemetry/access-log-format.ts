import type { Exchange } from "../layer/exchange.ts";
import { createOperator, JsonText, type Operator } from "./command-operators.ts";
import { parseFormat } from "./format-parser.ts";
import type { LineWriter } from "./log-buffer.ts";

/** A compiled format: one line for one exchange, with its line end. */
export type LineFormatter = (exchange: Exchange) => string;

/** A compiled format that puts the line of an exchange together, with its line end. */
export type LineRenderer = (exchange: Exchange, line: LineWriter) => void;

/** Envoy's default access log format. */
export const envoyDefaultFormat =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% ' +
  "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% " +
  '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" ' +
  '"%UPSTREAM_HOST%"\n';

/** Istio's default access log format. */
export const istioDefaultFormat =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% ' +
  "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% " +
  '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ' +
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% ' +
  "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% " +
  "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

/**
 * Compiles a text format. A missing value is `-`, or nothing with
 * `omitEmptyValues`.
 *
 * @throws SyntaxError naming an operator that does not exist or cannot be read.
 */
export function compileTextFormat(format: string, omitEmptyValues = false): LineFormatter {
  const { texts, operators, tail, missing } = compilePieces(format, omitEmptyValues);
  return (exchange) => {
    let line = "";
    for (let i = 0; i < operators.length; i++) line += texts[i]! + (operators[i]!(exchange) ?? missing);
    return line + tail;
  };
}

/** As `compileTextFormat`, for lines that are put together where they are written from. */
export function compileTextLine(format: string, omitEmptyValues = false): LineRenderer {
  const { texts, operators, tail, missing } = compilePieces(format, omitEmptyValues);
  return (exchange, line) => {
    for (let i = 0; i < operators.length; i++) {
      line.put(texts[i]!);
      const value = operators[i]!(exchange) ?? missing;
      line.put(typeof value === "string" ? value : `${value}`);
    }
    line.put(tail);
  };
}

interface TextPieces {
  readonly texts: readonly string[];
  /** Each after the text of the same index. */
  readonly operators: readonly Operator[];
  readonly tail: string;
  /** What stands for a missing value. */
  readonly missing: string;
}

/** Text and operators alternate in one flat pair of lists: no branch on the kind of piece per line. */
function compilePieces(format: string, omitEmptyValues: boolean): TextPieces {
  const pieces = parseFormat(format).map((part) =>
    part.kind === "text" ? part.text : limited(createOperator(part.name, part.argument), part.maxLength),
  );
  const texts: string[] = [];
  const operators: Operator[] = [];
  let text = "";
  for (const piece of pieces) {
    if (typeof piece === "string") text += piece;
    else {
      texts.push(text);
      operators.push(piece);
      text = "";
    }
  }
  return { texts, operators, tail: text, missing: omitEmptyValues ? "" : "-" };
}

/**
 * Compiles a value with command operators, as header edits have it: the text
 * itself when there are none. A missing value is the empty string.
 *
 * @throws SyntaxError as `compileTextFormat` does.
 */
export function compileHeaderValue(format: string): string | ((exchange: Exchange) => string) {
  if (!format.includes("%")) return format;
  const parts = parseFormat(format);
  if (parts.every((part) => part.kind === "text")) return parts.map((part) => part.text).join("");
  return compileTextFormat(format, true);
}

/**
 * Compiles a JSON format: values are command operators, text with operators in
 * it, or nested objects and lists. A value that is one operator keeps its type
 * (numbers stay numbers) and is null when missing, or left out with
 * `omitEmptyValues`. Keys come in alphabetical order, as Envoy writes them.
 *
 * @throws SyntaxError as `compileTextFormat` does, or for a value of another type.
 */
export function compileJsonFormat(
  fields: Readonly<Record<string, unknown>>,
  omitEmptyValues = false,
): LineFormatter {
  const write = compileObject(fields, omitEmptyValues);
  return (exchange) => `${write(exchange) ?? "{}"}\n`;
}

type JsonWriter = (exchange: Exchange) => string | undefined;

function compileObject(fields: Readonly<Record<string, unknown>>, omits: boolean): JsonWriter {
  const entries = Object.entries(fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [`${JSON.stringify(key)}:`, compileValue(value, omits)] as const);
  return (exchange) => {
    let text = "{";
    for (const [key, write] of entries) {
      const value = write(exchange);
      if (value === undefined && omits) continue;
      text += (text === "{" ? "" : ",") + key + (value ?? "null");
    }
    return `${text}}`;
  };
}

function compileValue(value: unknown, omits: boolean): JsonWriter {
  if (typeof value === "string") return compileJsonText(value, omits);
  if (Array.isArray(value)) {
    const items = value.map((item) => compileValue(item, omits));
    return (exchange) => `[${items.map((write) => write(exchange) ?? "null").join(",")}]`;
  }
  if (typeof value === "object" && value !== null)
    return compileObject(value as Record<string, unknown>, omits);
  const constant = JSON.stringify(value);
  if (constant === undefined) throw new SyntaxError(`${typeof value} cannot stand in a JSON log format`);
  return () => constant;
}

function compileJsonText(format: string, omits: boolean): JsonWriter {
  const parts = parseFormat(format);
  const [only] = parts;
  if (parts.length === 1 && only?.kind === "command") {
    const read = limited(createOperator(only.name, only.argument), only.maxLength);
    return (exchange) => {
      const value = read(exchange);
      if (value === undefined) return undefined;
      if (value instanceof JsonText) return value.json;
      return typeof value === "number" ? String(value) : quote(value);
    };
  }
  const text = compileTextFormat(format, omits);
  return (exchange) => quote(text(exchange));
}

function quote(text: string): string {
  return /["\\\u0000-\u001f\u007f-\uffff]/.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function limited(operator: Operator, maxLength: number | undefined): Operator {
  if (maxLength === undefined) return operator;
  return (exchange) => {
    const value = operator(exchange);
    return typeof value === "string" ? value.slice(0, maxLength) : value;
  };
}
