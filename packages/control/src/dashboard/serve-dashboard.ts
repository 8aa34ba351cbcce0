import type { IncomingMessage, ServerResponse } from "node:http";
import { howToOpen, sessionCookieName } from "../access/dashboard-session.ts";
import type { Caller } from "../api/caller.ts";
import { ApiRefusal } from "../api/refusal.ts";
import type { DashboardFeed, FeedViewer } from "./feed.ts";
import type { DashboardSessions } from "./sessions.ts";
import { readStaticFiles, type StaticFile } from "./static-files.ts";

export interface DashboardOptions {
  /** The built application. */
  readonly directory: string;
  readonly sessions: DashboardSessions;
  readonly feed: DashboardFeed;
  /** Who looks, by anything but a code. @throws ApiRefusal */
  readonly authenticate: (request: IncomingMessage) => Caller | Promise<Caller>;
  /** What holds of every request, also of one that brings a code. @throws ApiRefusal */
  readonly admit: (request: IncomingMessage) => void;
  readonly onError: (error: unknown) => void;
}

export const dashboardPath = "/dashboard/";

const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * The dashboard below `/dashboard/`: pages, and the feed of what they show. What
 * else they ask is asked of the API, with the cookie that a one-time address gave.
 */
export function serveDashboard(
  options: DashboardOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  let files: ReadonlyMap<string, StaticFile> | undefined;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== "GET") throw new ApiRefusal(405, { error: "only GET" });
    options.admit(request);
    const url = new URL(request.url ?? "/", "http://localhost");
    const { pathname, searchParams } = url;
    const path = pathname.startsWith(dashboardPath) ? pathname.slice(dashboardPath.length) : undefined;
    if (path === undefined) return redirect(response, dashboardPath);
    if (path === "login") return login(request, response, searchParams.get("code") ?? "", options.sessions);
    await options.authenticate(request);
    if (path === "events") return watch(response, options.feed);
    files ??= readStaticFiles(options.directory);
    sendFile(request, response, files, path === "" ? "index.html" : path);
  };
  const refuse = (response: ServerResponse, error: unknown): void => {
    const isRefusal = error instanceof ApiRefusal;
    if (!isRefusal) options.onError(error);
    const { error: why, hint = "" } = isRefusal
      ? error.body
      : { error: "the control plane failed", hint: "see its log" };
    const status = isRefusal ? error.status : 500;
    if (response.headersSent) response.destroy();
    else send(response, status, `${why}${hint && `; ${hint}`}\n`, "text/plain; charset=utf-8");
  };
  return (request, response) => {
    answer(request, response).catch((error: unknown) => refuse(response, error));
  };
}

function login(
  request: IncomingMessage,
  response: ServerResponse,
  code: string,
  sessions: DashboardSessions,
): void {
  const opened = sessions.redeem(code);
  if (!opened) {
    throw new ApiRefusal(401, { error: "this address was used before, or is too old", hint: howToOpen });
  }
  const secure = "encrypted" in request.socket ? " Secure;" : "";
  const cookie = `${sessionCookieName(request)}=${opened.session}; Path=/; HttpOnly; SameSite=Strict;${secure} Max-Age=${opened.ttlMs / 1000}`;
  response.setHeader("set-cookie", cookie);
  // By the page itself rather than by a redirect: a cookie for the same site alone is not
  // sent along with a navigation that began in another program.
  const page = `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=${dashboardPath}"><link rel="icon" href="data:,"><title>Weft</title>`;
  send(response, 200, page, "text/html; charset=utf-8");
}

function watch(response: ServerResponse, feed: DashboardFeed): void {
  const viewer: FeedViewer = {
    send: (text) => void response.write(text),
    get queuedBytes() {
      return response.writableLength;
    },
    drop: () => void response.destroy(),
  };
  response.writeHead(200, {
    ...securityHeaders,
    "content-type": "text/event-stream",
    "cache-control": "no-store",
  });
  response.on("close", () => feed.remove(viewer));
  response.on("error", () => {});
  if (!feed.add(viewer)) response.end("event: full\ndata: {}\n\n");
}

function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  files: ReadonlyMap<string, StaticFile>,
  path: string,
): void {
  if (files.size === 0) {
    throw new ApiRefusal(404, {
      error: "this build of weft has no dashboard",
      hint: "npm run build makes it",
    });
  }
  const file = files.get(path);
  if (!file) throw new ApiRefusal(404, { error: "there is no such file" });
  const { gzipped } = file;
  const isGzip = gzipped !== undefined && /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  if (isGzip) response.setHeader("content-encoding", "gzip");
  response.setHeader("vary", "accept-encoding");
  const caching = file.isImmutable ? "private, max-age=31536000, immutable" : "no-store";
  send(response, 200, isGzip ? gzipped : file.plain, file.type, caching);
}

function redirect(response: ServerResponse, location: string): void {
  response.setHeader("location", location);
  send(response, 303, "", "text/plain; charset=utf-8");
}

function send(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  type: string,
  caching = "no-store",
): void {
  response.writeHead(status, {
    ...securityHeaders,
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": caching,
  });
  response.end(body);
}
