import type { Exchange } from "../layer/exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";
import { pathEnd } from "../route/path-matcher.ts";
import { queryParameter } from "../route/request-matcher.ts";

type Read = (exchange: Exchange) => string | undefined;

/** `%REQ(X?Y)%`: header X, or Y when X is absent. */
export function requestHeader(argument: string): Read {
  return withAlternative(argument, (name): Read => {
    switch (name) {
      case ":method":
        return (e) => orNone(e.request?.method);
      case ":path":
        return (e) => orNone(e.request?.path);
      case ":authority":
      case "host":
        return (e) => orNone(e.request?.authority);
      case ":scheme":
        return (e) => e.request?.scheme;
      case "x-request-id":
        return (e) => e.request?.headers.get(name) ?? orNone(e.requestId);
      case "x-envoy-original-path":
        return (e) => {
          const { request } = e;
          if (!request) return undefined;
          const sent = request.headers.get(name);
          return sent ?? (e.originalPath !== request.path ? orNone(e.originalPath) : undefined);
        };
      default:
        return (e) => e.request?.headers.get(name);
    }
  });
}

/** `%RESP(X?Y)%`. */
export function responseHeader(argument: string): Read {
  return withAlternative(argument, (name): Read => {
    if (name === ":status") return (e) => e.response && String(e.response.status);
    return (e) => e.response?.headers.get(name);
  });
}

/** `%TRAILER(X?Y)%`. */
export function trailer(argument: string): Read {
  return withAlternative(argument, (name) => (e) => e.responseTrailers?.get(name));
}

function withAlternative(argument: string, reader: (name: string) => Read): Read {
  const [first, second, ...rest] = argument.split("?").map((name) => name.trim().toLowerCase());
  if (!first || second === "" || rest.length > 0) {
    throw new SyntaxError(`"${argument}" is not a header name or NAME?ALTERNATIVE`);
  }
  const read = reader(first);
  if (second === undefined) return read;
  const readSecond = reader(second);
  return (exchange) => read(exchange) ?? readSecond(exchange);
}

function orNone(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/**
 * `%PATH(X:Y)%`: with its query (`WQ`) or without (`NQ`); as it arrived (`ORIG`),
 * as it is now (`PATH`), or the first of these that there is (`ORIG_OR_PATH`).
 */
export function requestPath(argument: string, name: string): Read {
  const [query = "WQ", which = "ORIG_OR_PATH", ...rest] = argument === "" ? [] : argument.split(":");
  const read = pathReaders[which];
  if (!read || (query !== "WQ" && query !== "NQ") || rest.length > 0) {
    throw new SyntaxError(`%${name}(${argument})%: use WQ or NQ, then ORIG, PATH or ORIG_OR_PATH`);
  }
  if (query === "WQ") return read;
  return (exchange) => {
    const path = read(exchange);
    return path === undefined ? undefined : orNone(path.slice(0, pathEnd(path)));
  };
}

const originalPath: Read = (e) => e.request?.headers.get("x-envoy-original-path");
const pathReaders: Readonly<Record<string, Read>> = {
  ORIG: originalPath,
  PATH: (e) => orNone(e.request?.path),
  ORIG_OR_PATH: (e) => originalPath(e) ?? orNone(e.request?.path),
};

/** Names and values of a request's fields, pseudo-header fields among them, added up. */
export function requestHeadersBytes({ request }: Exchange): number {
  if (!request) return 0;
  const { method, path, authority, scheme, headers } = request;
  const pseudo = `:method${method}:path${path}:authority${authority}:scheme${scheme}`;
  return pseudo.length + listBytes(headers);
}

/** The same of a response. */
export function responseHeadersBytes({ response }: Exchange): number {
  return response ? `:status${response.status}`.length + listBytes(response.headers) : 0;
}

export function listBytes({ flat }: HeaderList): number {
  let bytes = 0;
  for (const text of flat) bytes += text.length;
  return bytes;
}

/** `%QUERY_PARAM(X)%`: its escapes decoded, unless that gives what cannot stand in a line. */
export function requestParameter(parameter: string): Read {
  return ({ request }) => {
    const value = request && queryParameter(request.path, parameter);
    if (!value?.includes("%")) return value;
    const decoded = value.replace(/%[0-9a-f]{2}/gi, (triplet) =>
      String.fromCharCode(Number.parseInt(triplet.slice(1), 16)),
    );
    return /[\0-\x1f\x7f]/.test(decoded) ? value : decoded;
  };
}
