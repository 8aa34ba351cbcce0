import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import { FieldKind, fieldName } from "./field-names.ts";

/** Limits on one message head. */
export interface HeadLimits {
  readonly maxBytes: number;
  readonly maxCount: number;
}

/** A refusal to parse, with the status to answer (requests) and Envoy's response code detail. */
export interface HeadError {
  readonly status: number;
  readonly details: string;
}

/** How the body after a head is delimited. @see RFC 9112 §6.3 */
export interface Framing {
  /** -1 when there is no `content-length`. */
  contentLength: number;
  isChunked: boolean;
  /** The sender's side of "this connection stays open". */
  isKeepAlive: boolean;
  minorVersion: number;
}

/** A parsed request head with what the codec needs to know of it. */
export class Http1RequestHead implements RequestHead, Framing {
  method = "";
  path = "";
  authority = "";
  scheme: "http" | "https" = "http";
  readonly headers: HeaderList = new HeaderList();
  upgrade = "";
  contentLength = -1;
  isChunked = false;
  isKeepAlive = true;
  minorVersion = 1;
  /** `expect: 100-continue` is among the fields. */
  expectsContinue = false;
  hasHost = false;
  /** The target as it came, when it is in absolute form. */
  absoluteTarget = "";
  /** The target is in absolute form and names https. */
  targetIsHttps = false;
}

export class Http1ResponseHead implements ResponseHead, Framing {
  status = 0;
  readonly headers: HeaderList = new HeaderList();
  contentLength = -1;
  isChunked = false;
  isKeepAlive = true;
  minorVersion = 1;
  upgrade = "";
}

const codecError: HeadError = { status: 400, details: "http1.codec_error" };
const invalidCharacters: HeadError = { status: 400, details: "http1.invalid_characters" };
const invalidUrl: HeadError = { status: 400, details: "http1.invalid_url" };
const invalidScheme: HeadError = { status: 400, details: "http1.invalid_scheme" };
const invalidAuthority: HeadError = { status: 400, details: "http.invalid_authority" };
const lengthAndChunked: HeadError = { status: 400, details: "http1.content_length_and_chunked_not_allowed" };
const unknownTransferEncoding: HeadError = { status: 501, details: "http1.invalid_transfer_encoding" };
const badTransferEncoding: HeadError = { status: 400, details: "http1.invalid_transfer_encoding" };
const rejectedConnection: HeadError = { status: 400, details: "http1.connection_header_rejected" };
const tooMany: HeadError = { status: 431, details: "http1.too_many_headers" };
/** Head longer than the limit. */
export const headTooLarge: HeadError = { status: 431, details: "http1.headers_too_large" };

/** A version of HTTP that is not spoken here. */
export const lowVersion: HeadError = { status: 426, details: "low_version" };

const otherVersion = /^HTTP\/[0-9]\.[0-9]$/;
const control = /[\0-\x08\x0a-\x1f\x7f]/;
const notTargetCharacter = /[^\x21-\x7e]/;
const authorityPattern = /^(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?$/;
/** The authority of an absolute target; its port is checked by number. */
const absoluteTarget = /^https?:\/\/((?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?)([/?].*)?$/i;
const otherAbsoluteTarget = /^([a-z][a-z0-9+.-]*):\/\/[^\\#?]*$/i;
const digits = /^[0-9]{1,15}$/;
/** What stands in no head: Envoy names such bytes whatever else is wrong. */
const neverInHead = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

const methods = new Set(
  "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY PROPFIND PROPPATCH PURGE QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split(
    " ",
  ),
);

const misplaced = /[^\r]\n|\r[^\n]|[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/** Whether `text` can no longer become a well-formed head, although its end has not arrived. */
export function isHopeless(text: string): boolean {
  const lf = text.indexOf("\n");
  return (lf >= 0 && text.charCodeAt(lf - 1) !== 13) || misplaced.test(text);
}

/**
 * Parses a request head: `text` up to and without its final CRLF CRLF, one
 * UTF-16 unit per byte. Strict by RFC 9112: whatever two parsers could read
 * differently is an error.
 */
export function parseRequestHead(text: string, limits: HeadLimits): Http1RequestHead | HeadError {
  const head = readRequestHead(text, limits);
  if (head === codecError && neverInHead.test(text)) return invalidCharacters;
  return head;
}

function readRequestHead(text: string, limits: HeadLimits): Http1RequestHead | HeadError {
  let lineEnd = text.indexOf("\r");
  if (lineEnd < 0) lineEnd = text.length;
  const methodEnd = text.indexOf(" ");
  if (methodEnd <= 0 || methodEnd > lineEnd) return codecError;
  const targetEnd = text.indexOf(" ", methodEnd + 1);
  if (targetEnd < 0 || targetEnd > lineEnd) return codecError;
  const head = new Http1RequestHead();
  const method = text.slice(0, methodEnd);
  if (!methods.has(method)) return codecError;
  head.method = method;
  if (lineEnd - targetEnd !== 9 || !text.startsWith("HTTP/1.", targetEnd + 1)) {
    return otherVersion.test(text.slice(targetEnd + 1, lineEnd)) ? lowVersion : codecError;
  }
  const minor = text.charCodeAt(lineEnd - 1) - 48;
  if (minor !== 0 && minor !== 1) return minor > 1 && minor < 10 ? lowVersion : codecError;
  head.minorVersion = minor;
  head.isKeepAlive = minor === 1;
  const target = text.slice(methodEnd + 1, targetEnd);
  const error = parseFields(text, lineEnd, limits, head, head) ?? setTarget(head, target);
  if (error) return error;
  if (head.isChunked && minor === 0) return badTransferEncoding;
  if (method === "CONNECT") {
    if (head.contentLength > 0 || head.isChunked) return codecError;
    head.upgrade = "connect";
  }
  return head;
}

/** Parses a status line and fields; the reason phrase is dropped. */
export function parseResponseHead(text: string, limits: HeadLimits): Http1ResponseHead | HeadError {
  let lineEnd = text.indexOf("\r");
  if (lineEnd < 0) lineEnd = text.length;
  if (!text.startsWith("HTTP/1.") || lineEnd < 12 || text.charCodeAt(8) !== 32) return codecError;
  const minor = text.charCodeAt(7) - 48;
  if (minor !== 0 && minor !== 1) return codecError;
  const a = text.charCodeAt(9) - 48;
  const b = text.charCodeAt(10) - 48;
  const c = text.charCodeAt(11) - 48;
  if (a < 1 || a > 9 || b < 0 || b > 9 || c < 0 || c > 9) return codecError;
  if (lineEnd > 12 && (text.charCodeAt(12) !== 32 || control.test(text.slice(12, lineEnd))))
    return codecError;
  const head = new Http1ResponseHead();
  head.status = a * 100 + b * 10 + c;
  head.minorVersion = minor;
  head.isKeepAlive = minor === 1;
  const error = parseFields(text, lineEnd, limits, head, undefined);
  return error ?? head;
}

/** Parses a trailer section (no CRLF CRLF at its end). Fields that would change framing are errors. */
export function parseTrailers(text: string, limits: HeadLimits): HeaderList | HeadError {
  const holder = new Http1ResponseHead();
  const error = parseFields(`\r\n${text}`, 0, limits, holder, undefined);
  if (error) return error;
  if (holder.isChunked || holder.contentLength >= 0 || holder.headers.has("host")) return codecError;
  return holder.headers;
}

function parseFields(
  text: string,
  firstLineEnd: number,
  limits: HeadLimits,
  head: Framing & { readonly headers: HeaderList; upgrade: string },
  request: Http1RequestHead | undefined,
): HeadError | undefined {
  const flat = head.headers.flat;
  const length = text.length;
  let at = firstLineEnd;
  let count = 0;
  let connection: string | undefined;
  let upgrade: string | undefined;
  let te: string | undefined;
  while (at < length) {
    // At a CR: it must start a CRLF, and a field line must follow.
    if (text.charCodeAt(at + 1) !== 10) return codecError;
    const start = at + 2;
    let end = text.indexOf("\r", start);
    if (end < 0) end = length;
    const colon = text.indexOf(":", start);
    if (colon < 0 || colon >= end) return codecError;
    const field = fieldName(text.slice(start, colon));
    if (!field) return codecError;
    count += 1;
    if (count > limits.maxCount) return tooMany;
    let from = colon + 1;
    let to = end;
    while (from < to && isBlank(text.charCodeAt(from))) from++;
    while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
    const value = text.slice(from, to);
    if (control.test(value)) return invalidCharacters;
    at = end;
    switch (field.kind) {
      case FieldKind.Ordinary:
        flat.push(field.name, value);
        break;
      case FieldKind.ContentLength:
        // Even equal duplicates are refused: somebody on the way believes another one.
        if (head.contentLength >= 0 || !digits.test(value)) return codecError;
        head.contentLength = Number(value);
        flat.push("content-length", value);
        break;
      case FieldKind.TransferEncoding:
        if (head.isChunked) return badTransferEncoding;
        if (value.toLowerCase() !== "chunked") return unknownTransferEncoding;
        head.isChunked = true;
        break;
      case FieldKind.Connection:
        connection = connection === undefined ? value : `${connection},${value}`;
        break;
      case FieldKind.Host:
        if (request) {
          if (request.hasHost) return codecError;
          if (!authorityPattern.test(value)) return invalidAuthority;
          request.hasHost = true;
          request.authority = value;
        } else flat.push("host", value);
        break;
      case FieldKind.Upgrade:
        upgrade = upgrade === undefined ? value : `${upgrade},${value}`;
        break;
      case FieldKind.Expect:
        if (request && value.toLowerCase() === "100-continue") request.expectsContinue = true;
        flat.push("expect", value);
        break;
      case FieldKind.Te:
        te = value;
        break;
      default:
        break;
    }
  }
  if (head.isChunked && head.contentLength >= 0) return lengthAndChunked;
  if (te !== undefined && wantsTrailers(te)) flat.push("te", "trailers");
  return connection === undefined ? undefined : applyConnection(head, connection, upgrade);
}

/** Obeys the `connection` options and removes the fields they nominate. @see RFC 9110 §7.6.1 */
function applyConnection(
  head: Framing & { readonly headers: HeaderList; upgrade: string },
  connection: string,
  upgrade: string | undefined,
): HeadError | undefined {
  if (connection === "keep-alive") {
    head.isKeepAlive = true;
    return undefined;
  }
  let closes = false;
  for (const part of connection.toLowerCase().split(",")) {
    const option = part.trim();
    switch (option) {
      case "":
      case "te":
        break;
      case "close":
        closes = true;
        break;
      case "keep-alive":
        head.isKeepAlive = true;
        break;
      case "upgrade":
        // HTTP/2 is not entered this way: the offer is dropped and the request served as it is.
        if (upgrade && upgrade.toLowerCase() !== "h2c") head.upgrade = upgrade.toLowerCase();
        break;
      // Removing these on a client's word would change what the message means.
      case "content-length":
      case "host":
      case "transfer-encoding":
      case "authorization":
      case "x-forwarded-for":
      case "x-forwarded-host":
      case "x-forwarded-proto":
      case "x-forwarded-client-cert":
        return rejectedConnection;
      default:
        head.headers.remove(option);
    }
  }
  if (closes) head.isKeepAlive = false;
  return undefined;
}

/** Origin, absolute, authority and asterisk form. @see RFC 9112 §3.2 */
function setTarget(head: Http1RequestHead, target: string): HeadError | undefined {
  if (notTargetCharacter.test(target)) return codecError;
  if (head.method === "CONNECT") {
    if (!/[^:]:[0-9]+$/.test(target) || !authorityPattern.test(target)) return invalidUrl;
    head.authority = target;
    head.hasHost = true;
    return undefined;
  }
  if (target.charCodeAt(0) === 47) {
    head.path = target;
    return undefined;
  }
  if (target === "*") {
    head.path = "*";
    return head.method === "OPTIONS" ? undefined : invalidUrl;
  }
  const match = absoluteTarget.exec(target);
  if (!match || Number(match[2] ?? 0) > 65_535) return badTarget(target);
  // The target wins over Host, whose presence is still required of HTTP/1.1.
  head.authority = match[1]!;
  head.absoluteTarget = target;
  head.targetIsHttps = target.charCodeAt(4) === 115 || target.charCodeAt(4) === 83;
  head.path = match[3] ?? "/";
  return undefined;
}

/** Says what is wrong with a target in none of the four forms. */
function badTarget(target: string): HeadError {
  const scheme = otherAbsoluteTarget.exec(target)?.[1]?.toLowerCase();
  if (scheme === undefined) return codecError;
  return scheme === "http" || scheme === "https" ? invalidUrl : invalidScheme;
}

/** Whether the list in a `te` field names trailers, without a weight. @see RFC 9110 §10.1.4 */
function wantsTrailers(te: string): boolean {
  return te.split(",").some((member) => member.trim().toLowerCase() === "trailers");
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}
