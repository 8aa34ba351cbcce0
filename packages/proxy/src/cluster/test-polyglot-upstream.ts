import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo, type Socket } from "node:net";
import { type SecureContextOptions, TLSSocket } from "node:tls";
import { parseClientHello } from "../net/client-hello.ts";

const preface = "PRI * HTTP/2.0";

/**
 * An upstream for tests that takes HTTP/1.1 and HTTP/2 on one port, with or
 * without TLS, by the first bytes of a connection, whatever ALPN said: what a
 * proxy really speaks is seen. A request is answered with how it came, and by
 * which connection; tunnels are echoed.
 */
export class PolyglotUpstream {
  /** Of connections, in the order they were made: the protocol, and what ALPN offered. */
  readonly connections: string[] = [];
  /** The same of requests, in the order they came. */
  readonly requests: string[] = [];
  /** And of requests that switch to another protocol. */
  readonly tunnels: string[] = [];
  /** Answers are held back until `release`. */
  isHolding = false;
  readonly #server: net.Server;
  readonly #identity: SecureContextOptions | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #names = new WeakMap<object, string>();
  /** By the local port of a connection that was unwrapped. */
  readonly #offers = new Map<number, readonly string[]>();
  readonly #http1 = http.createServer();
  readonly #http2 = http2.createServer({ settings: { enableConnectProtocol: true } });
  #held: (() => void)[] = [];

  private constructor(identity: SecureContextOptions | undefined) {
    this.#identity = identity;
    this.#server = net.createServer((socket) => this.#accept(socket));
    this.#http1.on("request", (request, response) => {
      request.resume();
      const { "content-type": type = "" } = request.headers;
      this.requests.push(this.#names.get(request.socket)!);
      request.on("end", () =>
        this.#whenFree(() => {
          response.writeHead(statusOf(request.url!), { "content-type": type, trailer: "grpc-status" });
          response.addTrailers({ "grpc-status": "0" });
          response.end(this.#names.get(request.socket));
        }),
      );
    });
    this.#http2.on("sessionError", () => {});
    this.#http2.on("stream", (stream, headers) => {
      stream.on("error", () => {});
      if (headers[":method"] === "CONNECT") {
        this.tunnels.push(this.#names.get(stream.session!)!);
        stream.respond({ ":status": 200 });
        stream.pipe(stream);
        return;
      }
      const { ":path": path = "", "content-type": type = "" } = headers;
      this.requests.push(this.#names.get(stream.session!)!);
      stream.resume();
      stream.on("end", () =>
        this.#whenFree(() => {
          stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
          stream.respond({ ":status": statusOf(path), "content-type": type }, { waitForTrailers: true });
          stream.end(this.#names.get(stream.session!));
        }),
      );
    });
    this.#http1.on("upgrade", (request, socket: Socket) => {
      this.tunnels.push(this.#names.get(socket)!);
      const { upgrade } = request.headers;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n`);
      socket.pipe(socket);
    });
    this.#http1.on("connect", (_request, socket: Socket) => {
      this.tunnels.push(this.#names.get(socket)!);
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(socket);
    });
  }

  /** With `identity` connections begin with TLS, and agree on the first protocol that is offered. */
  static async start(identity?: SecureContextOptions): Promise<PolyglotUpstream> {
    const upstream = new PolyglotUpstream(identity);
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many requests are being held back. */
  get held(): number {
    return this.#held.length;
  }

  release(): void {
    this.isHolding = false;
    for (const answer of this.#held.splice(0)) answer();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #whenFree(answer: () => void): void {
    if (this.isHolding) this.#held.push(answer);
    else answer();
  }

  /** What begins with TLS comes back here without it. */
  #accept(raw: Socket): void {
    this.#sockets.add(raw);
    raw.on("close", () => this.#sockets.delete(raw));
    raw.on("error", () => {});
    peek(raw, (bytes) => {
      const result = parseClientHello(bytes);
      if (result.kind === "not-tls") this.#serve(raw, bytes);
      else if (this.#identity) this.#unwrap(raw, result.kind === "hello" ? result.hello.alpnProtocols : []);
    });
  }

  #unwrap(raw: Socket, offered: readonly string[]): void {
    const secure = new TLSSocket(raw, {
      ...this.#identity,
      isServer: true,
      ...(offered.length > 0 ? { ALPNProtocols: [offered[0]!] } : {}),
    });
    secure.on("error", () => {});
    const inner = net.connect(this.port, "127.0.0.1", () => {
      this.#offers.set(inner.localPort!, offered);
      secure.pipe(inner).pipe(secure);
    });
    inner.on("error", () => {});
    secure.on("close", () => inner.destroy());
    inner.on("close", () => secure.destroy());
  }

  #serve(socket: Socket, bytes: Buffer): void {
    const isHttp2 = bytes.toString("latin1").startsWith(preface);
    const offered = this.#offers.get(socket.remotePort!);
    const name = `${isHttp2 ? "HTTP/2" : "HTTP/1.1"}${offered ? ` (${offered.join(", ")})` : ""}`;
    this.connections.push(name);
    if (isHttp2) {
      this.#http2.once("session", (session) => this.#names.set(session, name));
      this.#http2.emit("connection", socket);
    } else {
      this.#names.set(socket, name);
      this.#http1.emit("connection", socket);
      socket.resume();
    }
  }
}

function statusOf(path: string): number {
  return Number(/status=(\d+)/.exec(path)?.[1] ?? 200);
}

/** The first bytes, which whoever reads next gets again. */
function peek(socket: Socket, look: (bytes: Buffer) => void): void {
  socket.once("data", (bytes: Buffer) => {
    socket.pause();
    socket.unshift(bytes);
    look(bytes);
  });
}
