import { STATUS_CODES } from "node:http";
import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import type { Connection } from "../net/connection.ts";
import type { TextWriter } from "../net/text-writer.ts";

const statusLines: readonly string[] = Array.from(
  { length: 1000 },
  (_, status) => `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
);

/** How the body that follows a request head is delimited. */
export type BodyFraming = "none" | "length" | "chunked";

export function requestFraming(head: RequestHead, end: boolean): BodyFraming {
  if (end || head.upgrade !== "") return "none";
  return head.headers.has("content-length") ? "length" : "chunked";
}

/** Writes the whole head of a request, blank line included. */
export function writeRequestHead(
  connection: Connection,
  head: RequestHead,
  framing: BodyFraming,
  extra: readonly string[] | undefined,
  isProperCase: boolean,
): void {
  const { method, authority, upgrade, headers } = head;
  const target = method === "CONNECT" ? authority : head.path;
  const startBytes = method.length + target.length + authority.length + upgrade.length;
  const text = connection.beginText(
    startBytes + sizeOf(headers.flat) + (extra ? sizeOf(extra) : 0) + ownLinesBytes,
  );
  text.put(method);
  text.put(" ");
  text.put(target);
  text.put(isProperCase ? " HTTP/1.1\r\nHost: " : " HTTP/1.1\r\nhost: ");
  text.put(authority);
  putFields(text, headers.flat, isProperCase);
  if (extra) putFields(text, extra, isProperCase);
  const lines = codecLines(isProperCase);
  if (framing === "chunked") text.put(lines.chunked);
  else if (upgrade !== "" && upgrade !== "connect") {
    putFields(text, ["connection", "upgrade", "upgrade", upgrade], isProperCase);
  } else if (framing === "none" && needsLength(head)) text.put(lines.noBody);
  text.put(endOfHead);
  connection.endText();
}

/** Writes the whole head of a response; `ownLines` are those of the codec, each after a CRLF. */
export function writeResponseHead(
  connection: Connection,
  status: number,
  flat: readonly string[],
  ownLines: string,
  isProperCase: boolean,
): void {
  const text = connection.beginText(sizeOf(flat) + ownLines.length + ownLinesBytes);
  text.put(statusLines[status] ?? `HTTP/1.1 ${status} `);
  putFields(text, flat, isProperCase);
  text.put(ownLines);
  text.put(endOfHead);
  connection.endText();
}

/** Ends a chunked body with trailers. */
export function writeTrailers(connection: Connection, { flat }: HeaderList, isProperCase: boolean): void {
  const text = connection.beginText(sizeOf(flat) + ownLinesBytes);
  text.put("0");
  putFields(text, flat, isProperCase);
  text.put(endOfHead);
  connection.endText();
}

/** The lines of a switch to another protocol, each after a CRLF. */
export function upgradeLines(upgrade: string, isProperCase: boolean): string {
  return isProperCase
    ? `\r\nConnection: upgrade\r\nUpgrade: ${upgrade}`
    : `\r\nconnection: upgrade\r\nupgrade: ${upgrade}`;
}

/** After the last field line: the end of a head. */
const endOfHead = "\r\n\r\n";
/** Enough for what a head has beside its fields and its target: a status line, the codec's own lines. */
const ownLinesBytes = 256;

/** Bytes of the lines of a flat list. */
function sizeOf(flat: readonly string[]): number {
  // Two more for each string: CRLF and the separator.
  let bytes = 2 * flat.length;
  for (let i = 0; i < flat.length; i++) bytes += flat[i]!.length;
  return bytes;
}

function putFields(text: TextWriter, flat: readonly string[], isProperCase: boolean): void {
  const beginnings = isProperCase ? properCaseBeginnings : lowerCaseBeginnings;
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!;
    text.putEncoded(beginnings.get(name) ?? lineBeginning(name, isProperCase));
    text.put(flat[i + 1]!);
  }
}

interface CodecLines {
  readonly chunked: string;
  readonly noBody: string;
  readonly close: string;
  readonly keepAlive: string;
}

const lowerCaseLines: CodecLines = {
  chunked: "\r\ntransfer-encoding: chunked",
  noBody: "\r\ncontent-length: 0",
  close: "\r\nconnection: close",
  keepAlive: "\r\nconnection: keep-alive",
};

const properCaseLines: CodecLines = {
  chunked: "\r\nTransfer-Encoding: chunked",
  noBody: "\r\nContent-Length: 0",
  close: "\r\nConnection: close",
  keepAlive: "\r\nConnection: keep-alive",
};

/** Lines that a codec adds to a head by itself, each after a CRLF. */
export function codecLines(isProperCase: boolean): CodecLines {
  return isProperCase ? properCaseLines : lowerCaseLines;
}

/** Methods whose requests have no body unless they say so. */
const bodiless: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "TRACE", "CONNECT"]);

/** A bodiless request of any other method says so. @see RFC 9110 §8.6 */
function needsLength(head: RequestHead): boolean {
  return !bodiless.has(head.method) && !head.headers.has("content-length");
}

/** The size line before a chunk. */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}

export const lastChunk = "0\r\n\r\n";

/** Field name → the CRLF before its line, the name as it is written, and `: `. Bounded: strangers' names are made each time. */
const lowerCaseBeginnings = new Map<string, Uint8Array>();
const properCaseBeginnings = new Map<string, Uint8Array>();
const maxBeginnings = 2048;
const maxKnownLength = 64;

/** `x-request-id` in proper case is `X-Request-Id`, for peers that insist. */
function lineBeginning(name: string, isProperCase: boolean): Uint8Array {
  const written = isProperCase ? name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase()) : name;
  const beginning = Buffer.from(`\r\n${written}: `, "latin1");
  const beginnings = isProperCase ? properCaseBeginnings : lowerCaseBeginnings;
  if (beginnings.size < maxBeginnings && name.length <= maxKnownLength) beginnings.set(name, beginning);
  return beginning;
}
