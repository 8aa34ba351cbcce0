import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { messageOf } from "@weft/base/errors";

/** Who is at the other end of a connection, as far as the connection proves it. */
export interface GrpcPeer {
  /** `10.0.0.7:41234`, or "" on a Unix socket. For logs only. */
  readonly address: string;
  readonly isEncrypted: boolean;
  /** The SPIFFE ID of a certificate that the trust bundle verified. */
  readonly spiffeId: string | undefined;
  /** Why a certificate that was presented proves nothing; undefined when none was presented or it is good. */
  readonly certificateProblem: string | undefined;
  /** Of the certificate, hexadecimal, where `IdentifyPeer` tells it. */
  readonly serial?: string;
  /** Whose certificate it was that has expired: enough to ask for the next one, and for nothing else. */
  readonly expiredId?: string;
  /** Whether its connection was ended because nothing came from it any more, though it was asked. */
  readonly wasSilent?: () => boolean;
}

/** Who presented a certificate. */
export interface PeerIdentity {
  readonly spiffeId: string;
  readonly serial?: string;
  /** Why it is good for nothing but to be renewed; absent where it is good. */
  readonly expiry?: string;
}

/** HTTP/2 gives its socket behind a proxy that knows properties only by reading them. */
function isTls(socket: Socket | TLSSocket): socket is TLSSocket {
  return (socket as Partial<TLSSocket>).encrypted === true;
}

/** Says who presented a certificate. @throws when it proves nothing; the message says why. */
export type IdentifyPeer = (socket: TLSSocket) => PeerIdentity;

/** @param socket of an established connection; over TLS its handshake is done. */
export function peerOf(socket: Socket | TLSSocket, identify: IdentifyPeer = identifyByTls): GrpcPeer {
  // A listener for both families sees addresses of IPv4 within those of IPv6.
  const host = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, "");
  const address = host ? `${host}:${socket.remotePort}` : "";
  const peer = { address, isEncrypted: isTls(socket), spiffeId: undefined, certificateProblem: undefined };
  if (!isTls(socket) || !socket.getPeerX509Certificate()) return peer;
  try {
    const { spiffeId, serial, expiry } = identify(socket);
    const known = serial === undefined ? {} : { serial };
    return expiry === undefined
      ? { ...peer, spiffeId, ...known }
      : { ...peer, certificateProblem: expiry, expiredId: spiffeId, ...known };
  } catch (error) {
    return { ...peer, certificateProblem: messageOf(error) };
  }
}

/** What TLS verified against the trust bundle, and the one URI name in it (X.509-SVID). */
function identifyByTls(socket: TLSSocket): PeerIdentity {
  if (!socket.authorized) throw new Error(reasonOf(socket));
  const uris = (socket.getPeerX509Certificate()?.subjectAltName ?? "")
    // Node quotes names with odd characters; no SPIFFE ID has any.
    .split(", ")
    .filter((name) => name.startsWith("URI:"));
  const uri = uris.length === 1 ? uris[0]!.slice("URI:".length) : "";
  if (!uri.startsWith("spiffe://")) throw new Error("it does not name exactly one SPIFFE ID");
  return { spiffeId: uri };
}

function reasonOf(socket: TLSSocket): string {
  const reason: unknown = socket.authorizationError;
  return reason instanceof Error ? reason.message : String(reason ?? "not verified");
}
