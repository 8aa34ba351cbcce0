import type { Exchange } from "../layer/exchange.ts";

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
