import type { RequestHead } from "../layer/message.ts";
import { formatAddress, type SocketAddress } from "../net/socket-address.ts";
import { queryParameter, readHeader } from "../route/request-matcher.ts";
import { combineHashes, formatHash, type Hash64 } from "./hash64.ts";
import { xxHash64 } from "./xx-hash.ts";

/** What a request can be hashed by. */
export interface HashSource {
  readonly request: RequestHead | undefined;
  readonly connection: { readonly remote: SocketAddress; readonly local: SocketAddress };
  /** The client's address where `x-forwarded-for` is trusted. */
  readonly clientAddress?: SocketAddress | undefined;
  /** Set when the client is to be given a cookie that keeps it at its endpoint: a `set-cookie` value. */
  stickyCookie?: string | undefined;
}

/** The hash that places a request; undefined when nothing it is hashed by is there. */
export type HashPolicy = (source: HashSource) => Hash64 | undefined;

/** One thing to hash. `isTerminal` ends the list once there is a hash. */
export interface HashRule {
  readonly isTerminal: boolean;
  readonly hash: HashPolicy;
}

/**
 * Combines the hashes of all rules that apply, as Envoy does.
 *
 * @see envoy.config.route.v3.RouteAction.HashPolicy
 */
export function compileHashPolicy(rules: readonly HashRule[]): HashPolicy {
  const [only] = rules;
  if (only && rules.length === 1) return only.hash;
  return (source) => {
    let combined: Hash64 | undefined;
    for (const { hash, isTerminal } of rules) {
      const found = hash(source);
      if (found) combined = combined ? combineHashes(combined, found) : found;
      if (isTerminal && combined) break;
    }
    return combined;
  };
}

/** All values of a header, in an order of their own so that theirs does not count. */
export function hashHeader(headerName: string, rewrite: ((value: string) => string) | undefined): HashPolicy {
  const name = headerName.toLowerCase();
  return ({ request }) => {
    if (!request) return undefined;
    const { flat } = request.headers;
    let single: string | undefined;
    let several: string[] | undefined;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== name) continue;
      const value = rewrite ? rewrite(flat[i + 1]!) : flat[i + 1]!;
      if (single === undefined) single = value;
      else if (several) several.push(value);
      else several = [single, value];
    }
    if (several) {
      let hash: Hash64 | undefined;
      for (const value of several.sort()) hash = xxHash64(value, hash);
      return hash;
    }
    single ??= pseudoHeader(request, name, rewrite);
    return single === undefined ? undefined : xxHash64(single);
  };
}

function pseudoHeader(
  request: RequestHead,
  name: string,
  rewrite: ((value: string) => string) | undefined,
): string | undefined {
  const value = readHeader(request, name);
  return value === undefined || !rewrite ? value : rewrite(value);
}

/** The client's IP address, without its port. */
export const hashSourceIp: HashPolicy = ({ clientAddress, connection }) => {
  const address = clientAddress ?? connection.remote;
  return address.kind === "ip" ? xxHash64(address.host) : undefined;
};

/** The first parameter of that name, as it is written. */
export function hashQueryParameter(name: string): HashPolicy {
  return ({ request }) => {
    const value = request && queryParameter(request.path, name);
    return value === undefined ? undefined : xxHash64(value);
  };
}

export interface CookieRule {
  readonly name: string;
  /** Seconds; a client without the cookie is given one. 0 lets it end with the client's session. Undefined gives none. */
  readonly ttlSeconds: number | undefined;
  readonly path: string;
  readonly attributes: readonly (readonly [name: string, value: string])[];
}

/** A cookie's value. One that is made here is the hash of the connection's two addresses. */
export function hashCookie(rule: CookieRule): HashPolicy {
  const attributes = [
    ...(rule.ttlSeconds ? [`Max-Age=${rule.ttlSeconds}`] : []),
    ...(rule.path === "" ? [] : [`Path=${rule.path}`]),
    ...rule.attributes.map(([name, value]) => (value === "" ? name : `${name}=${value}`)),
    "HttpOnly",
  ].join("; ");
  return (source) => {
    const sent = source.request && cookieValue(source.request, rule.name);
    if (sent) return xxHash64(sent);
    if (rule.ttlSeconds === undefined) return undefined;
    const { remote, local } = source.connection;
    const value = formatHash(xxHash64(formatAddress(source.clientAddress ?? remote) + formatAddress(local)));
    source.stickyCookie = `${rule.name}="${value}"; ${attributes}`;
    return xxHash64(value);
  };
}

/** The first cookie of that name in any `cookie` field, without the quotes around its value. */
export function cookieValue(request: RequestHead, name: string): string | undefined {
  const { flat } = request.headers;
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== "cookie") continue;
    for (const pair of flat[i + 1]!.split(";")) {
      const equals = pair.indexOf("=");
      if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
      const value = pair.slice(equals + 1).trim();
      return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
  }
  return undefined;
}
