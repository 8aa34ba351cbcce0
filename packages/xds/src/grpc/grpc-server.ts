import { constants as cryptoConstants } from "node:crypto";
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { createSecureServer, createServer, type Http2SecureServer, type Http2Server } from "node:http2";
import type { Socket } from "node:net";
import { safeCipherSuites } from "@weft/base/cipher-suites";
import type { Clock } from "@weft/base/clock";
import { type GrpcPeer, type IdentifyPeer, peerOf } from "./grpc-peer.ts";
import type { GrpcRoute } from "./grpc-route.ts";
import { GrpcError, grpcCode } from "./grpc-status.ts";
import { type ListenAddress, listenOn } from "./listen-on.ts";
import { Liveness, type LivenessOptions } from "./liveness.ts";
import { ServerCall } from "./server-call.ts";

/** A server's key, its certificate chain, and whose client certificates it believes; all PEM. */
export interface ServerTlsMaterial {
  readonly key: string;
  readonly certificateChain: string;
  readonly trustBundle: string;
}

export interface GrpcServerOptions {
  readonly clock: Clock;
  readonly routes: readonly GrpcRoute[];
  /** Absent: plaintext. A client certificate is asked for, and calls see whether it was good. */
  readonly tls?: ServerTlsMaterial;
  /** Says who presented a client certificate. Default: TLS's own verdict, and exactly one SPIFFE ID. */
  readonly identify?: IdentifyPeer;
  /** Largest request message. Default 4 MiB. */
  readonly maxMessageBytes?: number;
  /** More connections than this are closed at once. Default 20,000. */
  readonly maxConnections?: number;
  /** Calls at a time on one connection. Default 64. */
  readonly maxStreamsPerConnection?: number;
  readonly liveness?: Partial<LivenessOptions>;
  /** A handler's bug. The call it happened in has ended with INTERNAL. */
  onError(error: unknown): void;
}

const defaults = { maxMessageBytes: 4 << 20, maxConnections: 20_000, maxStreamsPerConnection: 64 };
const maxHeaderBytes = 16 << 10;
const handshakeTimeoutMs = 10_000;

/**
 * gRPC over `node:http2`, for few methods and very many long streams: a stream
 * costs what its HTTP/2 stream costs. Connections whose peer is silent when pinged
 * are ended, so that a call's end is always seen within seconds.
 */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #routes: ReadonlyMap<string, GrpcRoute>;
  readonly #server: Http2Server | Http2SecureServer;
  readonly #peers = new WeakMap<object, GrpcPeer>();
  readonly #liveness: Liveness;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#routes = new Map(options.routes.map((route) => [route.path, route]));
    this.#liveness = new Liveness(options.clock, options.liveness);
    this.#server = this.#create();
    this.#server.maxConnections = options.maxConnections ?? defaults.maxConnections;
    this.#server.on("session", (session) => this.#onSession(session));
    this.#server.on(options.tls ? "secureConnection" : "connection", (socket: Socket) =>
      socket.setNoDelay(true),
    );
    this.#server.on("sessionError", () => {});
    this.#server.on("stream", (stream, headers) => this.#onStream(stream as ServerHttp2Stream, headers));
  }

  /** Resolves with what was bound. @throws UserError naming the address when it cannot be had. */
  async listen(address: ListenAddress): Promise<{ readonly port: number }> {
    const bound = await listenOn(this.#server, address);
    this.#liveness.start();
    return bound;
  }

  /** For handshakes from now on; connections that exist stay. Only for a server that began with TLS. */
  setTlsMaterial(material: ServerTlsMaterial): void {
    if (!("setSecureContext" in this.#server)) throw new Error("this server has no TLS");
    this.#server.setSecureContext(secureOptions(material));
  }

  /** Ends every connection of these peers at once: who comes again proves anew who it is. */
  dropPeers(isDropped: (peer: GrpcPeer) => boolean): void {
    this.#liveness.destroyWhere((session) => {
      const peer = this.#peers.get(session);
      return peer !== undefined && isDropped(peer);
    });
  }

  /** Stops accepting, tells every client to go, and after `graceMs` ends what is left. */
  async close(graceMs = 0): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const deadline = this.#options.clock.setTimer(() => this.#liveness.destroyAll(), graceMs);
    if (graceMs > 0) this.#liveness.closeAll();
    else this.#liveness.destroyAll();
    await closed;
    deadline.cancel();
    this.#liveness.stop();
  }

  get connections(): number {
    return this.#liveness.size;
  }

  #create(): Http2Server | Http2SecureServer {
    const settings = {
      maxConcurrentStreams: this.#options.maxStreamsPerConnection ?? defaults.maxStreamsPerConnection,
      maxHeaderListSize: maxHeaderBytes,
      enablePush: false,
    };
    const common = { settings, maxHeaderListPairs: 64, maxSessionMemory: 32 };
    const { tls } = this.#options;
    if (!tls) return createServer(common);
    return createSecureServer({
      ...common,
      ...secureOptions(tls),
      allowHTTP1: false,
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: handshakeTimeoutMs,
    });
  }

  #onSession(session: ServerHttp2Session): void {
    session.on("error", () => {});
    const { socket } = session;
    if (!socket) return;
    const wasSilent = () => this.#liveness.wasSilent(session);
    this.#peers.set(session, { ...peerOf(socket, this.#options.identify), wasSilent });
    this.#liveness.add(session);
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const peer = stream.session && this.#peers.get(stream.session);
    const contentType = headers["content-type"] ?? "";
    if (!peer || headers[":method"] !== "POST" || !/^application\/grpc(\+proto)?(;|$)/.test(contentType)) {
      stream.on("error", () => {});
      if (stream.destroyed || stream.closed) return;
      stream.respond({ ":status": 415 }, { endStream: true });
      stream.close();
      return;
    }
    const route = this.#routes.get(headers[":path"] ?? "") ?? unimplemented;
    const { clock, maxMessageBytes, onError } = this.#options;
    const isTaken = !peer.certificateProblem || (route.takesExpired && peer.expiredId !== undefined);
    // Whoever comes again may have another certificate by then, which only a new connection shows.
    const { session } = stream;
    if (!isTaken) stream.once("close", () => session?.close());
    ServerCall.open(isTaken ? route : refusing(peer.certificateProblem), {
      stream,
      headers,
      peer,
      clock,
      maxMessageBytes: maxMessageBytes ?? defaults.maxMessageBytes,
      onError,
    });
  }
}

const unimplemented: GrpcRoute = {
  path: "",
  open() {
    throw new GrpcError(grpcCode.unimplemented, "this server does not have this method");
  },
};

/** A presented certificate that proves nothing is a mistake worth naming, not an anonymous caller. */
function refusing(problem = ""): GrpcRoute {
  return {
    path: "",
    open() {
      throw new GrpcError(grpcCode.unauthenticated, `the client certificate is not accepted: ${problem}`);
    },
  };
}

function secureOptions(material: ServerTlsMaterial) {
  return {
    key: material.key,
    cert: material.certificateChain,
    ca: material.trustBundle,
    minVersion: "TLSv1.2",
    ciphers: safeCipherSuites,
    // A resumed session would keep a trust decision of before a rotation.
    secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
    sessionIdContext: "weft",
  } as const;
}
