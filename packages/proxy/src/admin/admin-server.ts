import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { messageOf, UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import { duplicateListener } from "../net/listen-socket.ts";
import { formatAddress, type SocketAddress } from "../net/socket-address.ts";

/** What an endpoint answers; `text/plain` unless it says otherwise. */
export interface AdminAnswer {
  readonly status?: number;
  readonly contentType?: string;
  readonly body: string | Buffer;
}

/** One admin endpoint. */
export interface AdminEndpoint {
  readonly path: string;
  readonly help: string;
  /** Changes something: POST only, so that a crawler or a prefetching browser cannot. */
  readonly isMutation?: boolean;
  /** Query parameters it understands; others are refused. */
  readonly parameters?: readonly string[] | "any";
  /** `accept` is what the request says it takes. */
  answer(query: URLSearchParams, accept: string | undefined): AdminAnswer | Promise<AdminAnswer>;
}

export interface AdminServer {
  readonly address: SocketAddress;
  /** Another descriptor of its socket, for a process that takes over. */
  duplicate(): number | undefined;
  close(): void;
}

const maxBodyBytes = 64 * 1024;

/**
 * Serves admin endpoints over HTTP. It is off the request path and may be slow;
 * whoever reaches the address may use it, so it belongs on loopback or a Unix
 * socket. `inherited` is a listening socket to use instead of binding one.
 */
export async function serveAdmin(
  address: SocketAddress,
  endpoints: readonly AdminEndpoint[],
  inherited?: number,
): Promise<AdminServer> {
  const { createServer } = await import("node:http");
  const table = new Map(withIndex(endpoints).map((endpoint) => [endpoint.path, endpoint]));
  const server = createServer((request, response) => {
    void respond(request, response, table);
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  await listen(server, address, inherited);
  const bound = server.address();
  return {
    address:
      bound && typeof bound === "object" ? { kind: "ip", host: bound.address, port: bound.port } : address,
    duplicate: () => duplicateListener(server),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listen(server: Server, address: SocketAddress, inherited: number | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new UserError(`the admin endpoint cannot listen on ${formatAddress(address)}: ${reasonOf(error)}`, {
          hint:
            error.code === "EADDRINUSE"
              ? "another proxy may be running; change `admin.address`"
              : "change `admin.address` in the bootstrap",
        }),
      );
    });
    if (inherited !== undefined) {
      server.listen({ fd: inherited }, () => resolve());
      return;
    }
    const target =
      address.kind === "pipe" ? { path: address.path } : { host: address.host, port: address.port };
    server.listen(target, () => resolve());
  });
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  table: ReadonlyMap<string, AdminEndpoint>,
): Promise<void> {
  let received = 0;
  request.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (received > maxBodyBytes) request.destroy();
  });
  const answer = await findAnswer(request, table);
  response.writeHead(answer.status ?? 200, {
    "content-type": answer.contentType ?? "text/plain; charset=UTF-8",
    "cache-control": "no-cache, max-age=0",
    "x-content-type-options": "nosniff",
  });
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

async function findAnswer(
  request: IncomingMessage,
  table: ReadonlyMap<string, AdminEndpoint>,
): Promise<AdminAnswer> {
  let url: URL;
  try {
    url = new URL(request.url ?? "/", "http://admin");
  } catch {
    return { status: 400, body: "the request target is not a path\n" };
  }
  const endpoint = table.get(url.pathname);
  if (!endpoint) {
    return { status: 404, body: `invalid path. admin commands are:\n${helpText([...table.values()])}` };
  }
  const wanted = endpoint.isMutation ? ["POST"] : ["GET", "HEAD"];
  if (!wanted.includes(request.method ?? "")) {
    return { status: 405, body: `Method ${request.method} not allowed, ${wanted[0]} required.\n` };
  }
  const { parameters = [] } = endpoint;
  for (const name of parameters === "any" ? [] : url.searchParams.keys()) {
    if (parameters.includes(name)) continue;
    const known = parameters === "any" || parameters.length === 0 ? "none" : parameters.join(", ");
    return { status: 400, body: `${endpoint.path} has no parameter '${name}' (it has: ${known})\n` };
  }
  try {
    return await endpoint.answer(url.searchParams, request.headers.accept);
  } catch (error) {
    return { status: 500, body: `${messageOf(error)}\n` };
  }
}

/** Adds `/` and `/help`, which list all the others. */
function withIndex(endpoints: readonly AdminEndpoint[]): readonly AdminEndpoint[] {
  const all: AdminEndpoint[] = [
    ...endpoints,
    {
      path: "/",
      help: "Admin home page",
      answer: () => ({ contentType: "text/html; charset=UTF-8", body: homePage(all) }),
    },
    {
      path: "/help",
      help: "print out list of admin commands",
      answer: () => ({ body: `admin commands are:\n${helpText(all)}` }),
    },
  ];
  return all;
}

function helpText(endpoints: readonly AdminEndpoint[]): string {
  return [...endpoints]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, help, isMutation }) => `  ${path}${isMutation ? " (POST)" : ""}: ${help}\n`)
    .join("");
}

function homePage(endpoints: readonly AdminEndpoint[]): string {
  const rows = [...endpoints]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, help, isMutation }) => {
      const command = isMutation
        ? `<form action="${path.slice(1)}" method="post"><button>${path.slice(1)}</button></form>`
        : `<a href="${path.slice(1)}">${path.slice(1) || "home"}</a>`;
      return `<tr><td>${command}</td><td>${help}</td></tr>`;
    });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>weft proxy</title><body><h1>weft proxy</h1><table>${rows.join("")}</table></body></html>\n`;
}
