/** One HTTP/1 message as it crossed the wire, taken apart without judging it. */
export interface Http1Message {
  readonly startLine: string;
  /** Field lines in order, as written. */
  readonly fields: readonly string[];
  /** How the body ended: `none`, `length`, `chunked`, or `close` where the connection's end was its end. */
  readonly framing: "none" | "length" | "chunked" | "close";
  /** Without chunk sizes: where a proxy cuts chunks is its own affair. */
  readonly body: string;
  readonly trailers: readonly string[];
  /** Position after the message. */
  readonly end: number;
}

export interface ReadOptions {
  /** A response that has no body whatever its fields say. */
  readonly isBodiless?: boolean;
  /** The sender has closed: a response without length is complete. */
  readonly hasEnded?: boolean;
}

/** Reads the message that begins at `from`; undefined while it is incomplete or when it is none. */
export function readMessage(text: string, from: number, options: ReadOptions = {}): Http1Message | undefined {
  const headEnd = text.indexOf("\r\n\r\n", from);
  if (headEnd < 0) return undefined;
  const [startLine = "", ...fields] = text.slice(from, headEnd).split("\r\n");
  const at = headEnd + 4;
  const whole = (framing: Http1Message["framing"], body: string, end: number, trailers: string[] = []) => ({
    startLine,
    fields,
    framing,
    body,
    trailers,
    end,
  });
  const isResponse = startLine.startsWith("HTTP/");
  const status = isResponse ? Number(startLine.slice(9, 12)) : 0;
  const hasNoBody = status > 0 && (status < 200 || status === 204 || status === 304);
  if (options.isBodiless || hasNoBody) return whole("none", "", at);
  if (/chunked$/i.test(fieldValue(fields, "transfer-encoding") ?? "")) {
    const chunked = readChunks(text, at);
    return chunked && whole("chunked", chunked.body, chunked.end, chunked.trailers);
  }
  const length = fieldValue(fields, "content-length");
  if (length !== undefined && /^\d+$/.test(length)) {
    const end = at + Number(length);
    return end <= text.length ? whole("length", text.slice(at, end), end) : undefined;
  }
  if (!isResponse) return whole("none", "", at);
  return options.hasEnded ? whole("close", text.slice(at), text.length) : undefined;
}

/** The value of the first field of that name. */
export function fieldValue(fields: readonly string[], name: string): string | undefined {
  const line = fields.find((field) => field.toLowerCase().startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim();
}

/**
 * The message as text, one line for each thing that is compared. Fields of an
 * answer are in the order of their names, which means nothing there.
 */
export function describeMessage(message: Http1Message): string {
  const isAnswer = message.startLine.startsWith("HTTP/");
  const body = message.framing === "none" ? [] : [`(${message.framing}) ${JSON.stringify(message.body)}`];
  return [
    message.startLine,
    ...(isAnswer ? message.fields.toSorted(byName) : message.fields),
    ...body,
    ...message.trailers.map((line) => `trailer ${line}`),
  ].join("\n");
}

/** Lines of one name stay in their order. */
function byName(a: string, b: string): number {
  const [nameA, nameB] = [a, b].map((line) => line.slice(0, line.indexOf(":")).toLowerCase()) as [
    string,
    string,
  ];
  return nameA < nameB ? -1 : nameA > nameB ? 1 : 0;
}

function readChunks(
  text: string,
  from: number,
): { readonly body: string; readonly trailers: string[]; readonly end: number } | undefined {
  let body = "";
  let at = from;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) return undefined;
    at = lineEnd + 2;
    if (size === 0) break;
    if (at + size + 2 > text.length) return undefined;
    body += text.slice(at, at + size);
    at += size + 2;
  }
  if (text.startsWith("\r\n", at)) return { body, trailers: [], end: at + 2 };
  const end = text.indexOf("\r\n\r\n", at);
  return end < 0 ? undefined : { body, trailers: text.slice(at, end).split("\r\n"), end: end + 4 };
}
