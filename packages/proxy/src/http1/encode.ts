import { STATUS_CODES } from "node:http";
import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";

const reasons: readonly string[] = Array.from(
  { length: 1000 },
  (_, status) => `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`,
);

/** Status line with CRLF. */
export function statusLine(status: number): string {
  return reasons[status] ?? `HTTP/1.1 ${status} \r\n`;
}

/** Field lines of a flat list, each with CRLF. */
export function fieldLines(flat: readonly string[], isProperCase: boolean): string {
  let text = "";
  if (isProperCase) {
    for (let i = 0; i < flat.length; i += 2) text += `${properCase(flat[i]!)}: ${flat[i + 1]}\r\n`;
    return text;
  }
  for (let i = 0; i < flat.length; i += 2) text += `${flat[i]}: ${flat[i + 1]}\r\n`;
  return text;
}

/** How the body that follows a request head is delimited. */
export type BodyFraming = "none" | "length" | "chunked";

export function requestFraming(head: RequestHead, end: boolean): BodyFraming {
  if (end || head.upgrade !== "") return "none";
  return head.headers.has("content-length") ? "length" : "chunked";
}

/** The whole head of a request, blank line included. */
export function encodeRequestHead(
  head: RequestHead,
  framing: BodyFraming,
  extra: readonly string[] | undefined,
  isProperCase: boolean,
): string {
  const target = head.method === "CONNECT" ? head.authority : head.path;
  const host = isProperCase ? "Host" : "host";
  let text = `${head.method} ${target} HTTP/1.1\r\n${host}: ${head.authority}\r\n${fieldLines(head.headers.flat, isProperCase)}`;
  if (extra) text += fieldLines(extra, isProperCase);
  const lines = codecLines(isProperCase);
  if (framing === "chunked") text += lines.chunked;
  else if (head.upgrade !== "" && head.upgrade !== "connect") {
    text += fieldLines(["connection", "upgrade", "upgrade", head.upgrade], isProperCase);
  } else if (framing === "none" && needsLength(head)) text += lines.noBody;
  return `${text}\r\n`;
}

interface CodecLines {
  readonly chunked: string;
  readonly noBody: string;
  readonly close: string;
  readonly keepAlive: string;
}

const lowerCaseLines: CodecLines = {
  chunked: "transfer-encoding: chunked\r\n",
  noBody: "content-length: 0\r\n",
  close: "connection: close\r\n",
  keepAlive: "connection: keep-alive\r\n",
};

const properCaseLines: CodecLines = {
  chunked: "Transfer-Encoding: chunked\r\n",
  noBody: "Content-Length: 0\r\n",
  close: "Connection: close\r\n",
  keepAlive: "Connection: keep-alive\r\n",
};

/** Lines that a codec adds to a head by itself. */
export function codecLines(isProperCase: boolean): CodecLines {
  return isProperCase ? properCaseLines : lowerCaseLines;
}

/** Methods whose requests have no body unless they say so. */
const bodiless: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "TRACE", "CONNECT"]);

/** A bodiless request of any other method says so. @see RFC 9110 §8.6 */
function needsLength(head: RequestHead): boolean {
  return !bodiless.has(head.method) && !head.headers.has("content-length");
}

export function encodeTrailers(trailers: HeaderList, isProperCase: boolean): string {
  return `0\r\n${fieldLines(trailers.flat, isProperCase)}\r\n`;
}

/** The size line before a chunk. */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}

export const lastChunk = "0\r\n\r\n";

const properCased = new Map<string, string>();

/** `x-request-id` as `X-Request-Id`, for clients that insist. */
function properCase(name: string): string {
  let cased = properCased.get(name);
  if (cased === undefined) {
    cased = name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
    if (properCased.size < 2048) properCased.set(name, cased);
  }
  return cased;
}
