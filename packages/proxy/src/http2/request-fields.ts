import { FieldKind, fieldName } from "../http1/field-names.ts";
import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";

/** A request head as HTTP/2 carried it, with what the codec needs to know of it. */
export class Http2RequestHead implements RequestHead {
  method = "";
  path = "";
  authority = "";
  scheme: "http" | "https" = "http";
  readonly headers: HeaderList = new HeaderList();
  upgrade = "";
  /** -1 when there is no `content-length`. */
  contentLength = -1;
  /** `expect: 100-continue` is among the fields. */
  expectsContinue = false;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Characters no value may hold, and blanks around it. @see RFC 9113 §8.2.1 */
export const badValue = /[\0-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/;
const notTargetCharacter = /[^\x21-\x7e]/;
const authorityPattern = /^(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?$/;
const digits = /^[0-9]{1,15}$/;

/**
 * The request that a list of decoded fields makes, or undefined when it is
 * malformed. Strict by RFC 9113 §8.2 and §8.3: what an HTTP/1.1 hop after this
 * one could read differently never passes. Extended CONNECT, where it is
 * allowed, becomes the upgrade HTTP/1.1 would ask for.
 */
export function parseRequestFields(
  flat: readonly string[],
  allowsConnect: boolean,
): Http2RequestHead | undefined {
  const head = new Http2RequestHead();
  const regular = parsePseudoFields(flat, head, allowsConnect);
  if (regular < 0) return undefined;
  const out = head.headers.flat;
  let host: string | undefined;
  let cookies: string[] | undefined;
  for (let i = regular; i < flat.length; i += 2) {
    const name = flat[i]!;
    const value = flat[i + 1]!;
    const field = fieldName(name);
    if (field?.name !== name || badValue.test(value)) return undefined;
    switch (field.kind) {
      case FieldKind.Ordinary:
        // Cookies come in pieces for the sake of compression. @see RFC 9113 §8.2.3
        if (field.name === "cookie") {
          cookies ??= [];
          cookies.push(value);
        } else out.push(field.name, value);
        break;
      case FieldKind.ContentLength:
        if (head.contentLength >= 0 || !digits.test(value)) return undefined;
        head.contentLength = Number(value);
        out.push("content-length", value);
        break;
      case FieldKind.Host:
        if (host !== undefined || !authorityPattern.test(value)) return undefined;
        host = value;
        break;
      case FieldKind.Expect:
        if (value.toLowerCase() === "100-continue") head.expectsContinue = true;
        out.push("expect", value);
        break;
      case FieldKind.Te:
        if (value !== "trailers") return undefined;
        out.push("te", "trailers");
        break;
      default:
        // Fields about the connection have no place here. @see RFC 9113 §8.2.2
        return undefined;
    }
  }
  if (cookies) out.push("cookie", cookies.join("; "));
  if (host !== undefined) {
    if (head.authority === "") head.authority = host;
    else if (head.authority.toLowerCase() !== host.toLowerCase()) return undefined;
  }
  return head;
}

/** A trailer section, or undefined when it is malformed. */
export function parseTrailerFields(flat: readonly string[]): HeaderList | undefined {
  for (let i = 0; i < flat.length; i += 2) {
    const field = fieldName(flat[i]!);
    if (!field || field.name !== flat[i] || field.kind !== FieldKind.Ordinary) return undefined;
    if (badValue.test(flat[i + 1]!)) return undefined;
  }
  return new HeaderList(flat as string[]);
}

/** Reads the fields before the regular ones; the position of the first of those, or -1. */
function parsePseudoFields(flat: readonly string[], head: Http2RequestHead, allowsConnect: boolean): number {
  let at = 0;
  let path: string | undefined;
  let authority: string | undefined;
  let scheme: string | undefined;
  let protocol = "";
  for (; at < flat.length && flat[at]!.charCodeAt(0) === 58; at += 2) {
    const value = flat[at + 1]!;
    switch (flat[at]) {
      case ":method":
        if (head.method !== "" || !token.test(value)) return -1;
        head.method = value;
        break;
      case ":path":
        if (path !== undefined) return -1;
        path = value;
        break;
      case ":authority":
        if (authority !== undefined || !authorityPattern.test(value)) return -1;
        authority = value;
        break;
      case ":scheme":
        if (scheme !== undefined) return -1;
        scheme = value;
        break;
      case ":protocol":
        if (!allowsConnect || protocol !== "" || !token.test(value)) return -1;
        protocol = value.toLowerCase();
        break;
      default:
        return -1;
    }
  }
  head.authority = authority ?? "";
  if (protocol !== "") {
    // A bare CONNECT has this name inside, and h2c is never spoken by upgrade.
    if (head.method !== "CONNECT" || protocol === "connect" || protocol === "h2c") return -1;
    head.method = "GET";
    head.upgrade = protocol;
  } else if (head.method === "CONNECT") {
    head.upgrade = "connect";
    return path === undefined && scheme === undefined && /:[0-9]+$/.test(head.authority) ? at : -1;
  }
  if (head.method === "" || path === undefined || (scheme !== "http" && scheme !== "https")) return -1;
  const isOrigin = path.charCodeAt(0) === 47 && !notTargetCharacter.test(path);
  if (!isOrigin && !(path === "*" && head.method === "OPTIONS")) return -1;
  head.path = path;
  return at;
}
