import { cookieValue } from "../hash/hash-policy.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import { decodeBase64, decodeSession, encodeSession } from "./session-cookie.ts";

/** How a client and this proxy tell each other the endpoint of a session. */
export interface SessionState {
  /** For people. */
  readonly carrier: string;
  /** Whether a request can have a session of this kind. */
  covers(request: RequestHead): boolean;
  /** The address that a request's session is bound to, in the form of logs; undefined: it has none. */
  find(request: RequestHead, nowMs: number): string | undefined;
  /** Tells the client, whose session is bound to this address from now on. */
  tell(headers: HeaderList, address: string, nowMs: number): void;
}

export interface SessionCookie {
  readonly name: string;
  /** 0: until the client ends its session. */
  readonly ttlSeconds: number;
  /** "" covers every path, and is not told. */
  readonly path: string;
  readonly attributes: readonly (readonly [name: string, value: string])[];
}

/** @see envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState */
export function cookieSession({ name, ttlSeconds, path, attributes }: SessionCookie): SessionState {
  const about = [
    ...(ttlSeconds > 0 ? [`Max-Age=${ttlSeconds}`] : []),
    ...(path === "" ? [] : [`Path=${path}`]),
    ...attributes.map(([key, value]) => (value === "" ? key : `${key}=${value}`)),
    "HttpOnly",
  ].join("; ");
  return {
    carrier: `cookie ${name}`,
    covers: ({ path: asked }) => path === "" || isBelow(asked, path),
    find(request, nowMs) {
      const value = cookieValue(request, name);
      return value ? decodeSession(value, Math.floor(nowMs / 1000)) : undefined;
    },
    tell(headers, address, nowMs) {
      const expires = ttlSeconds > 0 ? Math.floor(nowMs / 1000) + ttlSeconds : 0;
      headers.append("set-cookie", `${name}="${encodeSession(address, expires)}"; ${about}`);
    },
  };
}

/** Whether a request's path is one that a client sends the cookie with (RFC 6265 §5.1.4). */
function isBelow(asked: string, path: string): boolean {
  if (!asked.startsWith(path)) return false;
  const after = asked[path.length];
  return after === undefined || path.endsWith("/") || after === "/" || after === "?" || after === "#";
}

/** @see envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState */
export function headerSession(header: string): SessionState {
  const name = header.toLowerCase();
  return {
    carrier: `header ${name}`,
    covers: () => true,
    find: ({ headers }) => decodeBase64(headers.get(name) ?? "")?.toString("latin1"),
    tell: (headers, address) => headers.set(name, Buffer.from(address, "latin1").toString("base64")),
  };
}
