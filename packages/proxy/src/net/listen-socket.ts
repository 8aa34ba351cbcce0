import net, { type Server, type Socket } from "node:net";
import { libcFunction } from "./libc.ts";
import type { SocketAddress } from "./socket-address.ts";

/**
 * A bound address whose connections can be left waiting in the kernel: paused,
 * it goes on listening, nobody is refused and nobody is taken.
 */
export class ListenSocket {
  /** Where it really listens, the port resolved. */
  readonly address: SocketAddress;
  readonly #onConnection: (socket: Socket) => void;
  #server: Server;
  /** The listening socket while nobody takes connections from it. */
  #waiting: number | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  #isPaused = false;
  #isClosed = false;

  private constructor(server: Server, address: SocketAddress, onConnection: (socket: Socket) => void) {
    this.#server = server;
    this.address = address;
    this.#onConnection = onConnection;
  }

  /** Binds and takes connections, reading not yet begun. Rejects with the system's error. */
  static async bind(address: SocketAddress, onConnection: (socket: Socket) => void): Promise<ListenSocket> {
    const where =
      address.kind === "ip"
        ? { host: address.host, port: address.port, ipv6Only: !address.isIpv4Compatible, backlog }
        : { path: address.path };
    const server = await listen(where);
    const socket = new ListenSocket(server, boundAddress(server, address), onConnection);
    socket.#take(server);
    return socket;
  }

  /** Takes connections from a listening socket that was bound elsewhere, which is its own from here on. */
  static adopt(
    fd: number,
    address: SocketAddress,
    onConnection: (socket: Socket) => void,
  ): Promise<ListenSocket> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ fd }, backlog);
      server.once("listening", () => {
        server.off("error", reject);
        const socket = new ListenSocket(server, boundAddress(server, address), onConnection);
        socket.#take(server);
        resolve(socket);
      });
    });
  }

  /** Another descriptor of the same socket, to be adopted; undefined where that cannot be. */
  duplicate(): number | undefined {
    return this.#waiting === undefined ? duplicateListener(this.#server) : duplicate(this.#waiting);
  }

  /** Leaves new connections waiting. Where the platform cannot, they are ended as they come. */
  pause(): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    const fd = fdOf(this.#server);
    // A Unix socket's file goes with its server.
    if (this.address.kind !== "ip" || fd === undefined) return;
    this.#waiting = duplicate(fd);
    if (this.#waiting === undefined) return;
    this.#server.close();
    // A program that listens has something to wait for; without a server the event loop does not know.
    this.#keepAlive = setInterval(() => {}, 2 ** 31 - 1);
  }

  resume(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    clearInterval(this.#keepAlive);
    if (this.#waiting === undefined) return;
    const server = createServer();
    this.#take(server);
    server.listen({ fd: this.#waiting }, backlog);
    this.#waiting = undefined;
    this.#server = server;
  }

  /** Ends it; what waits is refused. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#keepAlive);
    if (this.#waiting === undefined) {
      this.#server.close();
      return;
    }
    const last = createServer();
    last.listen({ fd: this.#waiting }, () => last.close());
  }

  #take(server: Server): void {
    // Without a listener an error (the descriptors have run out) would end the process.
    server.on("error", () => {});
    server.on("connection", (socket) => {
      if (this.#isPaused) socket.destroy();
      else this.#onConnection(socket);
    });
  }
}

/** The kernel takes as many as it may; more than this is never useful. */
const backlog = 4096;

function createServer(): Server {
  return net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
}

function listen(where: net.ListenOptions): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

function boundAddress(server: Server, asked: SocketAddress): SocketAddress {
  const bound = server.address();
  if (asked.kind !== "ip" || typeof bound !== "object" || !bound) return asked;
  return { kind: "ip", host: asked.host, port: bound.port };
}

/** Another descriptor of a server's listening socket; undefined where that cannot be. */
export function duplicateListener(server: Server): number | undefined {
  const fd = fdOf(server);
  return fd === undefined ? undefined : duplicate(fd);
}

/** The descriptor of a socket or server, which Node does not publish; undefined where there is none. */
export function fdOf(owner: Server | Socket): number | undefined {
  const fd = (owner as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd;
  return fd !== undefined && fd >= 0 ? fd : undefined;
}

let dup: ((fd: number) => number) | undefined;

function duplicate(fd: number): number | undefined {
  if (process.platform === "win32") return undefined;
  dup ??= libcFunction("int dup(int)") as (fd: number) => number;
  const copy = dup(fd);
  return copy >= 0 ? copy : undefined;
}
