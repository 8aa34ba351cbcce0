import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectPlain, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import { GrpcError, grpcCode } from "./grpc-status.ts";

/** Where a gRPC server is, and how to be sure that it is the one. */
export interface GrpcTarget {
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string };
  /** `:authority` of the calls. Default: the host, or "localhost" on a Unix socket. */
  readonly authority?: string;
  /** Asked for at each new connection, so that a rotated certificate is used from the next one on. Absent: plaintext. */
  readonly tls?: () => ClientTls;
}

export interface ClientTls {
  /** ALPN is set to `h2`. Node's defaults apply: the chain and `servername` are verified. */
  readonly options: ConnectionOptions;
  /** Looks at the verified connection; returns why it is refused. */
  verifyPeer?(socket: TLSSocket): string | undefined;
}

const windowBytes = 1 << 20;

/** Opens a connection and its HTTP/2 session. @throws GrpcError UNAVAILABLE that names the address. */
export async function dial(target: GrpcTarget, clock: Clock, timeoutMs: number): Promise<ClientHttp2Session> {
  const socket = await openSocket(target, clock, timeoutMs);
  socket.setNoDelay(true);
  const scheme = target.tls ? "https" : "http";
  const session = connectHttp2(`${scheme}://${authorityOf(target)}`, {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: windowBytes },
    maxSessionMemory: 64,
  });
  session.on("error", () => {});
  session.once("connect", () => session.setLocalWindowSize(windowBytes * 4));
  return session;
}

/** `host:port`, or the socket's path: for messages. */
export function describeTarget({ address }: GrpcTarget): string {
  return "path" in address ? address.path : `${address.host}:${address.port}`;
}

export function authorityOf({ address, authority }: GrpcTarget): string {
  if (authority) return authority;
  if ("path" in address) return "localhost";
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function openSocket(target: GrpcTarget, clock: Clock, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let tls: ClientTls | undefined;
    let socket: Socket;
    try {
      tls = target.tls?.();
      socket = tls
        ? connectTls({ ...target.address, ...tls.options, ALPNProtocols: ["h2"] })
        : connectPlain(target.address);
    } catch (error) {
      reject(unavailable(target, messageOf(error), error));
      return;
    }
    const fail = (why: string, cause?: unknown) => {
      timer.cancel();
      socket.destroy();
      reject(unavailable(target, why, cause));
    };
    const timer = clock.setTimer(() => fail(`no connection within ${timeoutMs} ms`), timeoutMs);
    socket.on("error", (error) => fail(reasonOf(error), error));
    socket.once("close", () => fail("the connection was closed"));
    socket.once(tls ? "secureConnect" : "connect", () => {
      const problem = tls && problemOf(socket as TLSSocket, tls);
      if (problem) {
        fail(problem);
        return;
      }
      timer.cancel();
      socket.removeAllListeners("close");
      resolve(socket);
    });
  });
}

function problemOf(socket: TLSSocket, tls: ClientTls): string | undefined {
  if (socket.alpnProtocol !== "h2") return "the server does not speak HTTP/2 (ALPN h2)";
  return tls.verifyPeer?.(socket);
}

function unavailable(target: GrpcTarget, why: string, cause: unknown): GrpcError {
  return new GrpcError(grpcCode.unavailable, `${describeTarget(target)}: ${why}`, { cause });
}
