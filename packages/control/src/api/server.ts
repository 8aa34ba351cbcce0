import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { messageOf, UserError } from "@weft/base/errors";
import { listenOn } from "@weft/xds/grpc/listen-on";
import { type ApiErrorBody, maxBodyBytes } from "./protocol.ts";
import { ApiRefusal } from "./refusal.ts";
import { type ApiBackend, findRoute } from "./routes.ts";

export interface ApiServerOptions {
  readonly socketPath: string;
  readonly backend: ApiBackend;
  readonly logError: (error: unknown) => void;
}

/** What fits into `sockaddr_un`. */
const maxSocketPathBytes = 107;

/** The API on its Unix socket, open to the user who runs the control plane and to nobody else. */
export interface ApiServer {
  close(): Promise<void>;
}

/**
 * Listens on the socket, mode 0600. A socket that a killed control plane left
 * behind is replaced; one that answers is another control plane's.
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { socketPath } = options;
  if (Buffer.byteLength(socketPath) > maxSocketPathBytes) {
    throw new UserError(`the path ${socketPath} is too long for a Unix socket`, {
      hint: `choose a --state directory with a path of at most ${maxSocketPathBytes - "/api.sock".length} bytes`,
    });
  }
  const server = createServer({ maxHeaderSize: 16 << 10, requestTimeout: 60_000 }, (request, response) => {
    void answer(request, response, options);
  });
  server.maxConnections = 256;
  await listenOn(server, { path: socketPath, mode: 0o600 });
  return { close: () => close(server, socketPath) };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { backend, logError }: ApiServerOptions,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  try {
    const url = new URL(request.url ?? "/", "http://control-plane");
    const route = findRoute(request.method ?? "GET", url.pathname);
    const body = await readJson(request);
    const result = await route.handle(backend, {
      params: route.params,
      query: url.searchParams,
      body,
      signal: gone.signal,
    });
    send(response, 200, result);
  } catch (error) {
    if (response.destroyed) return;
    if (error instanceof ApiRefusal) return send(response, error.status, error.body);
    if (error instanceof UserError) return send(response, 400, { error: error.message, hint: error.hint });
    logError(error);
    send(response, 500, { error: `the control plane failed: ${messageOf(error)}`, hint: "see its log" });
  }
}

function send(response: ServerResponse, status: number, body: unknown | ApiErrorBody): void {
  const text = JSON.stringify(body ?? {});
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(text);
}

/** The body as JSON, undefined when there is none; longer ones are refused before they are held. */
function readJson(request: IncomingMessage): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBodyBytes) return void chunks.push(chunk);
      chunks.length = 0;
      const most = `${maxBodyBytes >> 20} MiB`;
      reject(
        new ApiRefusal(413, {
          error: `the request is longer than ${most}`,
          hint: "apply fewer files at once",
        }),
      );
    });
    request.on("error", reject);
    request.on("end", () => {
      if (size === 0) return resolve(undefined);
      if (size > maxBodyBytes) return;
      try {
        resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")));
      } catch {
        reject(new ApiRefusal(400, { error: "the request is not JSON" }));
      }
    });
  });
}

function close(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      rmSync(socketPath, { force: true });
      resolve();
    });
    server.closeAllConnections();
  });
}
