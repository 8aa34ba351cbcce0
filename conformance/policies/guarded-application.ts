import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/**
 * An application behind a sidecar that counts every byte it gets and answers
 * each request with its head, as it came.
 */
export class GuardedApplication {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Since the start, on all connections. */
  bytes = 0;
  connections = 0;

  private constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(): Promise<GuardedApplication> {
    const application = new GuardedApplication();
    application.#server.listen(0, "127.0.0.1");
    await once(application.#server, "listening");
    return application;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    let text = "";
    socket.on("data", (chunk) => {
      this.bytes += chunk.length;
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        const body = Buffer.from(head, "latin1");
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`);
        socket.write(body);
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
