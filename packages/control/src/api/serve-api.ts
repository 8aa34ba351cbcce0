import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf, UserError } from "@weft/base/errors";
import type { ApiBackend } from "./backend.ts";
import type { Caller } from "./caller.ts";
import type { ApiErrorBody } from "./protocol.ts";
import { readBody, readIfMatch, readParams, readQuery } from "./read-input.ts";
import { readJson } from "./read-json.ts";
import { ApiRefusal } from "./refusal.ts";
import { allows } from "./role.ts";
import type { AnyRoute, RouteInput } from "./route.ts";
import { findRoute } from "./route-table.ts";

export interface ServeApiOptions {
  readonly backend: ApiBackend;
  /** Who asks. @throws ApiRefusal where that is nobody known, or too many tries were made */
  readonly authenticate: (request: IncomingMessage) => Caller | Promise<Caller>;
  /** Where callers reach this API; undefined on the Unix socket. */
  readonly originOf?: (request: IncomingMessage) => string | undefined;
  /** For the audit log: what was changed and does not say so itself, and what was refused, to be changed or to be let in. */
  readonly record: (attempt: Attempt) => void;
  readonly logError: (error: unknown) => void;
}

/** What somebody tried, and why it was not done, if it was not. */
export interface Attempt {
  /** Undefined: nobody known. */
  readonly caller: Caller | undefined;
  readonly address: string;
  /** The operation, or method and path. */
  readonly what: string;
  /** Absent where it was done. */
  readonly refusal?: { readonly status: number; readonly problem: string } | undefined;
}

const defaultMaxBodyBytes = 64 << 10;

/**
 * The API on any server: who asks is known before anything else is looked at, then
 * the route, what their role allows, and the request by the route's schemas;
 * handlers get nothing that has not passed all of it.
 */
export function serveApi(
  options: ServeApiOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    void answer(request, response, options);
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: ServeApiOptions,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  response.on("error", () => {});
  let caller: Caller | undefined;
  let route: AnyRoute | undefined;
  try {
    caller = await options.authenticate(request);
    const url = new URL(request.url ?? "/", "http://control-plane");
    const found = findRoute(request.method ?? "GET", url.pathname);
    route = found.route;
    requireRole(route, caller);
    const input: RouteInput<object, object, unknown> = {
      params: readParams(route, found.params),
      query: readQuery(route, url.searchParams),
      ifRevision: readIfMatch(route, request.headers["if-match"]),
      body: readBody(route, await readJson(request, route.maxBodyBytes ?? defaultMaxBodyBytes)),
      caller,
      signal: gone.signal,
      origin: options.originOf?.(request),
    };
    if (route.isStream) return await stream(response, route.handle(options.backend, input as never));
    const result = await route.handle(options.backend, input as never);
    if (route.role !== "read" && route.method !== "GET" && !route.isRecorded) {
      options.record(attemptOf({ request, caller, route }));
    }
    const revision = route.etag?.(result);
    send(response, 200, result, revision === undefined ? {} : { etag: `"${revision}"` });
  } catch (error) {
    refuse(response, error, { request, caller, route }, options);
  }
}

function requireRole(route: AnyRoute, { name, role }: Caller): void {
  if (allows(role, route.role)) return;
  throw new ApiRefusal(403, {
    error: `${name} has the role ${role}, and ${route.id} needs ${route.role}`,
    hint: "a browser that came by a one-time address only looks; who gets which role stands in the control plane's --api-users file",
  });
}

interface Asked {
  readonly request: IncomingMessage;
  readonly caller: Caller | undefined;
  readonly route: AnyRoute | undefined;
}

function refuse(
  response: ServerResponse,
  error: unknown,
  asked: Asked,
  { logError, record }: ServeApiOptions,
): void {
  const { status, body, headers } = refusalOf(error, logError);
  if (isWorthRecording(asked, status)) record(attemptOf(asked, { status, problem: body.error }));
  if (response.destroyed || response.headersSent) response.destroy();
  else send(response, status, body, headers);
}

/** Not what only looked and asked wrongly; and of who tries too often, no more. */
function isWorthRecording({ route }: Asked, status: number): boolean {
  if (status === 429) return false;
  const isAboutAccess = status === 401 || status === 403 || status === 421;
  return isAboutAccess || (route !== undefined && route.role !== "read");
}

function attemptOf({ request, caller, route }: Asked, refusal?: Attempt["refusal"]): Attempt {
  const path = (request.url ?? "").split("?", 1)[0]!.slice(0, 200);
  const what = route ? `${route.id} ${path}` : `${request.method} ${path}`;
  return { caller, address: request.socket.remoteAddress ?? "", what, refusal };
}

function refusalOf(
  error: unknown,
  logError: (error: unknown) => void,
): Pick<ApiRefusal, "status" | "body" | "headers"> {
  if (error instanceof ApiRefusal) return error;
  if (error instanceof UserError) return new ApiRefusal(400, { error: error.message, hint: error.hint });
  logError(error);
  return new ApiRefusal(500, { error: `the control plane failed: ${messageOf(error)}`, hint: "see its log" });
}

/** Head and body of an answer; nothing in between keeps it. */
function send(
  response: ServerResponse,
  status: number,
  body: unknown | ApiErrorBody,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...securityHeaders,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

/** One line for each value; the next is asked for when the last has left. */
async function stream(response: ServerResponse, values: AsyncIterable<unknown>): Promise<void> {
  response.writeHead(200, { ...securityHeaders, "content-type": "application/x-ndjson" });
  response.flushHeaders();
  for await (const value of values) {
    if (response.destroyed) return;
    if (response.write(`${JSON.stringify(value)}\n`)) continue;
    await Promise.race([once(response, "drain"), once(response, "close")]);
  }
  response.end();
}

/** An answer is nothing for a cache, and no page. */
const securityHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
};
