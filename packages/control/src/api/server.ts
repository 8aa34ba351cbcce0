import { rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { UserError } from "@weft/base/errors";
import { listenOn } from "@weft/xds/grpc/listen-on";
import type { ApiBackend } from "./backend.ts";
import { localOperator } from "./caller.ts";
import { type ServeApiOptions, serveApi } from "./serve-api.ts";

export interface ApiServerOptions {
  readonly socketPath: string;
  readonly backend: ApiBackend;
  readonly record: ServeApiOptions["record"];
  readonly logError: (error: unknown) => void;
}

/** What fits into `sockaddr_un`. */
const maxSocketPathBytes = 107;

/** The API on its Unix socket, open to the user who runs the control plane and to nobody else. */
export interface ApiServer {
  close(): Promise<void>;
}

/**
 * Listens on the socket, mode 0600: who may open it is the local operator, an
 * admin. A socket that a killed control plane left behind is replaced; one that
 * answers is another control plane's.
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { socketPath, backend, record, logError } = options;
  if (Buffer.byteLength(socketPath) > maxSocketPathBytes) {
    throw new UserError(`the path ${socketPath} is too long for a Unix socket`, {
      hint: `choose a --state directory with a path of at most ${maxSocketPathBytes - "/api.sock".length} bytes`,
    });
  }
  const server = createServer(
    { maxHeaderSize: 16 << 10, requestTimeout: 60_000 },
    serveApi({ backend, record, logError, authenticate: () => localOperator }),
  );
  server.maxConnections = 256;
  await listenOn(server, { path: socketPath, mode: 0o600 });
  return { close: () => close(server, socketPath) };
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
