import type { Exchange } from "../layer/exchange.ts";
import { createOperator, type Operator } from "./command-operators.ts";
import { parseFormat } from "./format-parser.ts";
import { type LineWriter, TextLine } from "./line-writer.ts";

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
export function compileTextLine(format: string, omitEmptyValues = false): LineRenderer {
  const { texts, operators, tail, missing } = compilePieces(format, omitEmptyValues);
  return (exchange, line) => {
    for (let i = 0; i < operators.length; i++) {
      line.putEncoded(texts[i]!);
      const value = operators[i]!(exchange) ?? missing;
      if (typeof value === "string") line.put(value);
      else if (typeof value === "number") line.putNumber(value);
      else line.put(value.json);
    }
    line.putEncoded(tail);
  };
}

/** As `compileTextLine`, for a line that is wanted as a string. */
export function compileTextFormat(format: string, omitEmptyValues = false): LineFormatter {
  return asString(compileTextLine(format, omitEmptyValues));
}

/** What a format makes, as a string. */
export function asString(render: LineRenderer): LineFormatter {
  return (exchange) => {
    const line = new TextLine();
    render(exchange, line);
    return line.text;
  };
}

interface TextPieces {
  readonly texts: readonly Uint8Array[];
  /** Each after the text of the same index. */
  readonly operators: readonly Operator[];
  readonly tail: Uint8Array;
  /** What stands for a missing value. */
  readonly missing: string;
}

/** Text and operators alternate in one flat pair of lists: no branch on the kind of piece per line. */
function compilePieces(format: string, omitEmptyValues: boolean): TextPieces {
  const pieces = parseFormat(format).map((part) =>
    part.kind === "text" ? part.text : limited(createOperator(part.name, part.argument), part.maxLength),
  );
  const texts: Uint8Array[] = [];
  const operators: Operator[] = [];
  let text = "";
  for (const piece of pieces) {
    if (typeof piece === "string") text += piece;
    else {
      texts.push(Buffer.from(text));
      operators.push(piece);
      text = "";
    }
  }
  return { texts, operators, tail: Buffer.from(text), missing: omitEmptyValues ? "" : "-" };
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

/** An operator that gives at most so many units of text. */
export function limited(operator: Operator, maxLength: number | undefined): Operator {
  if (maxLength === undefined) return operator;
  return (exchange) => {
    const value = operator(exchange);
    return typeof value === "string" ? value.slice(0, maxLength) : value;
  };
}
