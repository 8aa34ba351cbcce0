import { constants as cryptoConstants, X509Certificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { Socket } from "node:net";
import { safeCipherSuites } from "@weft/base/cipher-suites";
import { listenOn } from "@weft/xds/grpc/listen-on";

/** What the listener shows, and leaf first. */
export interface ListenerCertificate {
  readonly keyPem: string;
  readonly chainPem: string;
}

export interface RemoteListenerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly certificate: ListenerCertificate;
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void;
  /** Who lets no time pass without sending is cut off after this, and half of it. Default 30 s. */
  readonly patienceMs?: number;
}

const maxConnections = 512;
/** So that one machine leaves room for others. */
const maxConnectionsOfAddress = 64;

/**
 * The API over TLS 1.2 and 1.3, HTTP/1.1. Clients may show a certificate; whether it
 * means anything is decided with each request. Connections, heads and the time
 * that they may take are bounded, of all and of one address.
 */
export class RemoteListener {
  readonly port: number;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets: ReadonlySet<Socket>;
  #names: readonly string[];

  static async open(options: RemoteListenerOptions): Promise<RemoteListener> {
    const { host, certificate, serve, patienceMs = 30_000 } = options;
    const server = createServer(
      {
        ...secureOptions(certificate),
        requestCert: true,
        rejectUnauthorized: false,
        handshakeTimeout: 10_000,
        maxHeaderSize: 16 << 10,
        headersTimeout: patienceMs / 2,
        requestTimeout: patienceMs * 2,
        connectionsCheckingInterval: Math.min(5_000, patienceMs / 2),
        keepAliveTimeout: patienceMs,
      },
      serve,
    );
    server.maxConnections = maxConnections;
    server.maxHeadersCount = 100;
    const sockets = limitPerAddress(server);
    const { port } = await listenOn(server, { host, port: options.port });
    return new RemoteListener(server, sockets, port, namesOf(certificate));
  }

  private constructor(
    server: ReturnType<typeof createServer>,
    sockets: ReadonlySet<Socket>,
    port: number,
    names: readonly string[],
  ) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = port;
    this.#names = names;
  }

  /** The DNS names and addresses of the certificate. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** For connections from now on. */
  setCertificate(certificate: ListenerCertificate): void {
    this.#server.setSecureContext(secureOptions(certificate));
    this.#names = namesOf(certificate);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      // Also those whose handshake is not over, which the server itself does not count yet.
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}

function secureOptions({ keyPem, chainPem }: ListenerCertificate) {
  return {
    key: keyPem,
    cert: chainPem,
    minVersion: "TLSv1.2",
    ciphers: safeCipherSuites,
    // A resumed session would keep a certificate that is not shown again.
    secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
    sessionIdContext: "weft-api",
  } as const;
}

/** Every connection that is open, of which no address gets more than its share. */
function limitPerAddress(server: ReturnType<typeof createServer>): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  const counts = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const count = (counts.get(address) ?? 0) + 1;
    if (count > maxConnectionsOfAddress) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    counts.set(address, count);
    socket.once("close", () => {
      sockets.delete(socket);
      const left = counts.get(address)! - 1;
      if (left > 0) counts.set(address, left);
      else counts.delete(address);
    });
  });
  return sockets;
}

function namesOf({ chainPem }: ListenerCertificate): readonly string[] {
  const { subjectAltName = "" } = new X509Certificate(chainPem);
  return subjectAltName.split(", ").flatMap((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1] ?? []);
}
