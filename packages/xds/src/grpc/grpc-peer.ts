import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** Who is at the other end of a connection, as far as the connection proves it. */
export interface GrpcPeer {
  /** `10.0.0.7:41234`, or "" on a Unix socket. For logs only. */
  readonly address: string;
  readonly isEncrypted: boolean;
  /** The SPIFFE ID of a certificate that the trust bundle verified. */
  readonly spiffeId: string | undefined;
  /** Why a certificate that was presented proves nothing; undefined when none was presented or it is good. */
  readonly certificateProblem: string | undefined;
}

/** HTTP/2 gives its socket behind a proxy that knows properties only by reading them. */
function isTls(socket: Socket | TLSSocket): socket is TLSSocket {
  return (socket as Partial<TLSSocket>).encrypted === true;
}

/** @param socket of an established connection; over TLS its handshake is done. */
export function peerOf(socket: Socket | TLSSocket): GrpcPeer {
  const address = socket.remoteAddress ? `${socket.remoteAddress}:${socket.remotePort}` : "";
  if (!isTls(socket)) {
    return { address, isEncrypted: false, spiffeId: undefined, certificateProblem: undefined };
  }
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return { address, isEncrypted: true, spiffeId: undefined, certificateProblem: undefined };
  if (!socket.authorized) {
    return { address, isEncrypted: true, spiffeId: undefined, certificateProblem: reasonOf(socket) };
  }
  const spiffeId = spiffeIdOf(certificate.subjectAltName);
  return {
    address,
    isEncrypted: true,
    spiffeId,
    certificateProblem: spiffeId ? undefined : "it does not name exactly one SPIFFE ID",
  };
}

function reasonOf(socket: TLSSocket): string {
  const reason: unknown = socket.authorizationError;
  return reason instanceof Error ? reason.message : String(reason ?? "not verified");
}

/** X.509-SVID: exactly one URI name. Node quotes names with odd characters; no SPIFFE ID has any. */
function spiffeIdOf(subjectAltName: string | undefined): string | undefined {
  const uris = (subjectAltName ?? "").split(", ").filter((name) => name.startsWith("URI:"));
  const uri = uris.length === 1 ? uris[0]!.slice("URI:".length) : "";
  return uri.startsWith("spiffe://") ? uri : undefined;
}
