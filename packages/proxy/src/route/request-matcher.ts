import type { RequestHead } from "../layer/message.ts";
import type { StringPredicate } from "./string-matcher.ts";

/** True when a request satisfies one compiled condition. */
export type RequestPredicate = (request: RequestHead) => boolean;

/** @see envoy.config.route.v3.HeaderMatcher */
export interface HeaderMatcherSpec {
  readonly name: string;
  readonly test:
    | { readonly kind: "present"; readonly expected: boolean }
    | { readonly kind: "range"; readonly start: number; readonly end: number }
    | { readonly kind: "value"; readonly matches: StringPredicate };
  readonly invert: boolean;
  readonly treatMissingAsEmpty: boolean;
}

/** A header by name, or the part of the request that HTTP/2 carries as a pseudo-header. */
export function readHeader(request: RequestHead, name: string): string | undefined {
  return readPseudo.get(name)?.(request) ?? request.headers.get(name);
}

const readPseudo: ReadonlyMap<string, (request: RequestHead) => string> = new Map([
  [":authority", (request: RequestHead) => request.authority],
  ["host", (request: RequestHead) => request.authority],
  [":path", (request: RequestHead) => request.path],
  [":method", (request: RequestHead) => request.method],
  [":scheme", (request: RequestHead) => request.scheme],
]);

/**
 * As Envoy judges: fields of one name are judged one by one, and one that
 * matches is enough; a value condition on an absent header fails, inverted or
 * not, unless the absent header is to be read as empty.
 */
export function compileHeaderMatcher(spec: HeaderMatcherSpec): RequestPredicate {
  const name = spec.name.toLowerCase();
  const { test, invert, treatMissingAsEmpty } = spec;
  if (test.kind === "present") {
    const wanted = test.expected !== invert;
    if (treatMissingAsEmpty) return () => wanted;
    return (request) => (readHeader(request, name) !== undefined) === wanted;
  }
  const matches = test.kind === "value" ? test.matches : inRange(test.start, test.end);
  const pseudo = readPseudo.get(name);
  if (pseudo) return (request) => matches(pseudo(request)) !== invert;
  const onMissing = treatMissingAsEmpty && matches("") !== invert;
  return (request) => {
    const { flat } = request.headers;
    let isPresent = false;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== name) continue;
      if (matches(flat[i + 1]!)) return !invert;
      isPresent = true;
    }
    return isPresent ? invert : onMissing;
  };
}

/** @see envoy.config.route.v3.QueryParameterMatcher */
export interface QueryParameterSpec {
  readonly name: string;
  /** Undefined asks only whether the parameter is there, as `expected` says. */
  readonly matches: StringPredicate | undefined;
  readonly expected: boolean;
}

/** Judges the first parameter of that name as it is written: Envoy does not decode escapes here. */
export function compileQueryParameter(spec: QueryParameterSpec): RequestPredicate {
  const { name, matches, expected } = spec;
  return (request) => {
    const value = queryParameter(request.path, name);
    if (matches === undefined) return (value !== undefined) === expected;
    return value !== undefined && matches(value);
  };
}

/** `content-type: application/grpc` or `application/grpc+…`. */
export function isGrpc(request: RequestHead): boolean {
  const type = request.headers.get("content-type");
  if (type === undefined || !type.startsWith("application/grpc")) return false;
  return type.length === 16 || type[16] === "+";
}

function inRange(start: number, end: number): StringPredicate {
  return (value) => {
    if (!/^[+-]?\d{1,19}$/.test(value)) return false;
    const number = Number(value);
    return number >= start && number < end;
  };
}

/** The first parameter of that name, as it is written; "" when it has no value. */
export function queryParameter(path: string, name: string): string | undefined {
  const query = path.indexOf("?");
  if (query < 0) return undefined;
  const fragment = path.indexOf("#", query);
  const end = fragment < 0 ? path.length : fragment;
  let start = query + 1;
  while (start < end) {
    let stop = path.indexOf("&", start);
    if (stop < 0 || stop > end) stop = end;
    const equals = path.indexOf("=", start);
    const keyEnd = equals < 0 || equals > stop ? stop : equals;
    if (keyEnd - start === name.length && path.startsWith(name, start)) return path.slice(keyEnd + 1, stop);
    start = stop + 1;
  }
  return undefined;
}
