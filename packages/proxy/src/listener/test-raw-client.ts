/** Both ends of a test of the request path, byte by byte. */
import net, { type Server, type Socket } from "node:net";
import type { SocketAddress } from "../net/socket-address.ts";

/** A TCP server on 127.0.0.1 that gives each connection to `serve`. */
export async function startServer(
  serve: (socket: Socket) => void,
): Promise<{ readonly address: SocketAddress; readonly server: Server; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    address: { kind: "ip", host: "127.0.0.1", port },
    server,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** A raw client that collects what it receives. */
export class RawClient {
  readonly socket: Socket;
  text = "";
  isClosed = false;
  #changed: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      this.#changed();
    });
    socket.on("error", () => {});
    const onClosed = () => {
      this.isClosed = true;
      this.#changed();
    };
    socket.on("end", onClosed);
    socket.on("close", onClosed);
  }

  static connect(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.once("error", reject);
      socket.once("connect", () => resolve(new RawClient(socket)));
    });
  }

  send(text: string | Buffer): this {
    this.socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
    return this;
  }

  /** Waits until what was received satisfies `condition`, or the server closed. */
  async until(condition: RegExp | ((client: RawClient) => boolean)): Promise<string> {
    const holds = typeof condition === "function" ? condition : (c: RawClient) => condition.test(c.text);
    while (!holds(this)) {
      if (this.isClosed && !holds(this)) {
        throw new Error(`closed after ${JSON.stringify(this.text.slice(0, 500))}`);
      }
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.text;
  }

  async untilClosed(): Promise<string> {
    while (!this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.text;
  }

  close(): void {
    this.socket.destroy();
  }
}
