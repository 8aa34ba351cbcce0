import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { PeerCertificate } from "./peer-certificate.ts";
import { svidFault } from "./svid-fault.ts";
import { TimerEntry, type Timers } from "./timers.ts";
import type { DownstreamTlsPlan, PeerIdentity } from "./tls-plan.ts";

/** A finished server handshake. `peer` is present exactly when the client's certificate was verified. */
export interface AcceptedTls {
  readonly socket: TLSSocket;
  readonly peer: PeerIdentity | undefined;
  /** Of a certificate that was let in though it did not verify: what it claims. */
  readonly unverifiedPeer?: PeerIdentity | undefined;
  readonly ownUris: readonly string[];
  readonly alpn: string;
  readonly version: string;
  readonly cipher: string;
  /** What the client asked for in the handshake, or "". */
  readonly serverName?: string;
}

/** Why a handshake came to nothing, in the terms of Envoy's listener statistics. */
export type TlsRefusal =
  | "no-context"
  | "no-certificate"
  | "certificate-not-verified"
  | "name-not-accepted"
  | "handshake-failed"
  | "handshake-timeout";

export interface TlsAcceptEvents {
  onAccepted(tls: AcceptedTls): void;
  /** The socket is already being destroyed. */
  onRefused(refusal: TlsRefusal, message: string): void;
}

export interface HandshakeLimit {
  readonly timers: Timers;
  /** 0 means the default of 15 seconds: an unfinished handshake never lasts. */
  readonly timeoutMs: number;
}

const defaultHandshakeTimeoutMs = 15_000;

interface TlsHandle {
  verifyError(): (Error & { code?: string }) | null;
}

const prepared = new WeakSet<SecureContext>();
const ownNames = new WeakMap<SecureContext, readonly string[]>();

/**
 * Runs the server side of TLS on a connected socket, `initial` being the bytes
 * already read from it and `offered` what they say the client offers by ALPN,
 * where they were looked at. Nothing the client sends after the handshake is
 * delivered before `onAccepted`, and that is called only when every requirement
 * of the plan is met.
 */
export function acceptTls(
  raw: Socket,
  initial: Buffer,
  plan: DownstreamTlsPlan,
  limit: HandshakeLimit,
  events: TlsAcceptEvents,
  offered: readonly string[] = [],
): void {
  const context = plan.context.current;
  if (!context) {
    raw.destroy();
    events.onRefused("no-context", "no certificate has been received for this listener yet");
    return;
  }
  const { select, svidDomains } = plan.context;
  const requiresCertificate = plan.requireClientCertificate || svidDomains !== undefined;
  allowResumption(context);
  if (initial.length > 0) raw.unshift(initial);
  const wantsCertificate = requiresCertificate || plan.verifiesClients !== false;
  const socket = new TLSSocket(raw, {
    isServer: true,
    secureContext: context,
    requestCert: wantsCertificate,
    rejectUnauthorized: requiresCertificate,
    ALPNProtocols: agreeable(plan.alpnProtocols, offered),
    ...(select ? { SNICallback: bySelection(select) } : {}),
  });
  let isSettled = false;
  const refuse = (refusal: TlsRefusal, message: string) => {
    if (isSettled) return;
    isSettled = true;
    timer.stop();
    socket.destroy();
    raw.destroy();
    events.onRefused(refusal, message);
  };
  const timer = new TimerEntry(
    { onTimer: () => refuse("handshake-timeout", "the handshake took too long") },
    0,
  );
  limit.timers.start(timer, limit.timeoutMs || defaultHandshakeTimeoutMs, limit.timers.clock.monotonicMs());
  const onError = (error: NodeJS.ErrnoException) => {
    const isMissing = error.code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE";
    refuse(isMissing ? "no-certificate" : "handshake-failed", error.message);
  };
  const onClose = () => refuse("handshake-failed", "the client closed during the handshake");
  socket.on("error", onError);
  socket.on("_tlsError", onError);
  socket.on("close", onClose);
  raw.on("error", onError);
  raw.on("close", onClose);
  socket.once("secure", () => {
    if (isSettled) return;
    const certificate = socket.getPeerX509Certificate();
    let peer: PeerIdentity | undefined;
    let unverifiedPeer: PeerIdentity | undefined;
    if (!certificate) {
      if (requiresCertificate) {
        refuse("no-certificate", "the client sent no certificate");
        return;
      }
    } else if (wantsCertificate) {
      const verifyError = verifyErrorOf(socket) ?? expiryOf(socket, certificate, limit.timers.clock.now());
      if (verifyError && !plan.acceptsUntrusted) {
        refuse("certificate-not-verified", verifyError);
        return;
      }
      const shown = new PeerCertificate(certificate);
      const fault = svidFault(certificate, shown, svidDomains);
      if (fault) {
        refuse("name-not-accepted", fault);
        return;
      }
      const isNamed = !plan.matchesSan || plan.matchesSan(shown);
      if (!isNamed && !plan.acceptsUntrusted) {
        refuse("name-not-accepted", `no accepted name in ${shown.uris.join(", ") || shown.subject}`);
        return;
      }
      if (verifyError || !isNamed) unverifiedPeer = shown;
      else peer = shown;
    }
    isSettled = true;
    timer.stop();
    socket.disableRenegotiation();
    socket.off("error", onError);
    socket.off("_tlsError", onError);
    socket.off("close", onClose);
    raw.off("error", onError);
    raw.off("close", onClose);
    raw.on("error", () => {});
    events.onAccepted({
      socket,
      peer,
      unverifiedPeer,
      ownUris: select ? ownUrisOf(socket) : cachedOwnUris(socket, context),
      alpn: socket.alpnProtocol || "",
      version: socket.getProtocol() ?? "",
      cipher: socket.getCipher()?.standardName ?? "",
      serverName: serverNameOf(socket),
    });
  });
}

/**
 * What is chosen from, in this order. Where the client is known to offer none of
 * it, nothing is agreed on and the first bytes decide, as in Envoy: the runtime
 * would end the handshake.
 */
function agreeable(own: readonly string[], offered: readonly string[]): string[] | undefined {
  if (own.length === 0) return undefined;
  if (offered.length > 0 && !offered.some((name) => own.includes(name))) return undefined;
  return [...own];
}

/** Node's types leave it out. */
function serverNameOf(socket: TLSSocket): string {
  const { servername } = socket as { readonly servername?: string | false };
  return servername || "";
}

/** The reason the chain did not verify, or undefined when it did. Fails closed when the runtime cannot say. */
function verifyErrorOf(socket: TLSSocket): string | undefined {
  const handle = (socket as unknown as { _handle?: Partial<TlsHandle> | null })._handle;
  if (typeof handle?.verifyError !== "function") return "the runtime does not report verification";
  const error = handle.verifyError();
  return error ? (error.code ?? error.message) : undefined;
}

/** A resumed session has the verdict of its first handshake, when the certificate was still valid. */
function expiryOf(socket: TLSSocket, certificate: X509Certificate, nowMs: number): string | undefined {
  const isOver = socket.isSessionReused() && certificate.validToDate.getTime() < nowMs;
  return isOver ? "CERT_HAS_EXPIRED" : undefined;
}

/** OpenSSL refuses to resume sessions with client certificates unless the context names itself. */
function allowResumption(context: SecureContext): void {
  if (prepared.has(context)) return;
  prepared.add(context);
  const native = (context as unknown as { context?: { setSessionIdContext?(id: string): void } }).context;
  native?.setSessionIdContext?.("weft");
}

function bySelection(select: (serverName: string) => SecureContext) {
  return (serverName: string, done: (error: Error | null, context?: SecureContext) => void) => {
    const context = select(serverName);
    allowResumption(context);
    done(null, context);
  };
}

function ownUrisOf(socket: TLSSocket): readonly string[] {
  const own = socket.getX509Certificate();
  return own ? new PeerCertificate(own).uris : [];
}

function cachedOwnUris(socket: TLSSocket, context: SecureContext): readonly string[] {
  let uris = ownNames.get(context);
  if (!uris) {
    uris = ownUrisOf(socket);
    ownNames.set(context, uris);
  }
  return uris;
}
