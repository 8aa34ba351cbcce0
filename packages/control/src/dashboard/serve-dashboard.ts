import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiRefusal } from "../api/refusal.ts";
import type { DashboardFeed, FeedViewer } from "./feed.ts";
import type { DashboardSessions } from "./sessions.ts";
import { readStaticFiles, type StaticFile } from "./static-files.ts";

/** What the pages ask for beside the feed, by the last part of its path. Refuses with an `ApiRefusal`. */
export type DashboardQueries = Readonly<
  Record<string, (query: URLSearchParams) => unknown | Promise<unknown>>
>;

export interface DashboardOptions {
  /** The built application. */
  readonly directory: string;
  readonly sessions: DashboardSessions;
  readonly feed: DashboardFeed;
  readonly queries: DashboardQueries;
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

const howToOpen = "run 'weft dashboard' on the control plane's machine: it opens an address that works once";

/**
 * The dashboard below `/dashboard/`: read-only, for browsers of this machine that
 * came by a one-time address. A page elsewhere on the web that makes a browser
 * ask here has no session, and a name that was made to resolve to this machine
 * is refused.
 */
export function serveDashboard(
  options: DashboardOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  let files: ReadonlyMap<string, StaticFile> | undefined;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== "GET") throw new ApiRefusal(405, { error: "only GET" });
    if (!isOfThisMachine(request)) {
      const hint = "forward its port: ssh -L 15014:127.0.0.1:15014 HOST";
      throw new ApiRefusal(403, { error: "the dashboard answers this machine alone", hint });
    }
    const url = new URL(request.url ?? "/", "http://localhost");
    const { pathname, searchParams } = url;
    const path = pathname.startsWith(dashboardPath) ? pathname.slice(dashboardPath.length) : undefined;
    if (path === undefined) redirect(response, dashboardPath);
    else if (path === "login") login(request, response, searchParams.get("code") ?? "", options.sessions);
    else if (!options.sessions.isValid(cookieOf(request))) {
      throw new ApiRefusal(401, { error: "nobody has logged in here", hint: howToOpen });
    } else if (path === "events") watch(response, options.feed);
    else if (path.startsWith("api/")) await query(response, options.queries, path.slice(4), searchParams);
    else {
      files ??= readStaticFiles(options.directory);
      sendFile(request, response, files, path === "" ? "index.html" : path);
    }
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
  const cookie = `${cookieName(request)}=${opened.session}; Path=${dashboardPath}; HttpOnly; SameSite=Strict; Max-Age=${opened.ttlMs / 1000}`;
  response.setHeader("set-cookie", cookie);
  // By the page itself rather than by a redirect: a cookie for the same site alone is not
  // sent along with a navigation that began in another program.
  const page = `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=${dashboardPath}"><link rel="icon" href="data:,"><title>Weft</title>`;
  send(response, 200, page, "text/html; charset=utf-8");
}

/** Cookies do not tell ports apart, and several control planes may run here. */
function cookieName({ socket }: IncomingMessage): string {
  return `weft-dashboard-${socket.localPort}`;
}

function cookieOf(request: IncomingMessage): string {
  const wanted = `${cookieName(request)}=`;
  const pairs = (request.headers.cookie ?? "").split(/; */);
  return pairs.find((pair) => pair.startsWith(wanted))?.slice(wanted.length) ?? "";
}

function isOfThisMachine({ socket, headers }: IncomingMessage): boolean {
  const { remoteAddress = "", localAddress = "" } = socket;
  if (!isLoopback(remoteAddress) && remoteAddress !== localAddress) return false;
  const host = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(headers.host ?? "")?.[1]?.replace(/^\[|\]$/g, "") ?? "";
  return host === "localhost" || isLoopback(host) || host === localAddress;
}

function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(address) || address === "::1";
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

async function query(
  response: ServerResponse,
  queries: DashboardQueries,
  name: string,
  asked: URLSearchParams,
): Promise<void> {
  if (!Object.hasOwn(queries, name)) throw new ApiRefusal(404, { error: `there is no ${name}` });
  const answer = JSON.stringify(await queries[name]!(asked));
  if (!response.destroyed) send(response, 200, answer, "application/json");
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
