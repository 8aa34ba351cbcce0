import net, { type Socket } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import { coversHost, PeerCertificate } from "./peer-certificate.ts";
import type { SocketAddress } from "./socket-address.ts";
import { svidFault } from "./svid-fault.ts";
import type { PeerIdentity, UpstreamTlsPlan } from "./tls-plan.ts";

export interface ConnectEvents {
  onConnected(socket: Socket, peer: PeerIdentity | undefined, alpn: string): void;
  /** `transport` is set when TLS, not TCP, failed. */
  onFailed(reason: "connection-failure" | "connect-timeout", message: string, transport: string): void;
}

/** An attempt to connect; `cancel` makes it end silently. */
export interface Connecting {
  cancel(): void;
}

const sessions = new WeakMap<UpstreamTlsPlan, SessionCache>();

interface SessionCache {
  generation: number;
  readonly byAddress: Map<string, SavedSession>;
}

/** A session with the peer it was made with: a resumed handshake shows no certificate again. */
interface SavedSession {
  readonly session: Buffer;
  readonly peer: PeerIdentity | undefined;
  /** Until one of both certificates has expired: whoever resumes it does not look at them again. */
  readonly untilMs: number;
}

const defaultMaxSessions = 256;

/**
 * Connects to an endpoint, with TLS when the plan says so. Succeeds only after
 * the peer's chain and names are verified; always ends in exactly one event
 * unless cancelled. The owner applies the connect timeout by cancelling.
 * `localAddresses` are where to connect from: the first of the endpoint's family.
 * `preface` is sent before anything else, TLS included. `spoken` is offered by
 * ALPN where the plan names nothing to offer (RFC 7301).
 */
export function connectTo(
  address: SocketAddress,
  plan: UpstreamTlsPlan | undefined,
  serverName: string,
  events: ConnectEvents,
  localAddresses?: readonly string[],
  preface?: Buffer,
  spoken: readonly string[] = [],
): Connecting {
  if (plan) return connectTls(address, plan, serverName, events, localAddresses, preface, spoken);
  const socket = net.connect({ ...target(address, localAddresses), noDelay: true, allowHalfOpen: true });
  let isSettled = false;
  const onError = (error: NodeJS.ErrnoException) => {
    if (isSettled) return;
    isSettled = true;
    events.onFailed("connection-failure", describe(error), "");
  };
  socket.on("error", onError);
  socket.once("connect", () => {
    if (isSettled) return;
    isSettled = true;
    if (preface) socket.write(preface);
    events.onConnected(socket, undefined, "");
  });
  return {
    cancel() {
      isSettled = true;
      socket.destroy();
    },
  };
}

function connectTls(
  address: SocketAddress,
  plan: UpstreamTlsPlan,
  serverName: string,
  events: ConnectEvents,
  localAddresses: readonly string[] | undefined,
  preface: Buffer | undefined,
  spoken: readonly string[],
): Connecting {
  let isSettled = false;
  const fail = (message: string, transport: string) => {
    if (isSettled) return;
    isSettled = true;
    socket?.destroy();
    events.onFailed("connection-failure", message, transport);
  };
  const context = plan.context.current;
  let socket: TLSSocket | undefined;
  if (!context) {
    queueMicrotask(() => fail("", "TLS error: Secret is not supplied by SDS"));
    return {
      cancel() {
        isSettled = true;
      },
    };
  }
  const cache = sessionCache(plan);
  const alpn = plan.alpnProtocols.length > 0 ? plan.alpnProtocols : spoken;
  let peer: PeerIdentity | undefined;
  let untilMs: number | undefined;
  const key = `${address.kind === "ip" ? `${address.host}:${address.port}` : address.path} ${serverName}`;
  const known = cache.byAddress.get(key);
  const saved = known && known.untilMs > Date.now() ? known : undefined;
  // `allowHalfOpen` is passed on to the socket although the type leaves it out.
  const options: tls.ConnectionOptions & { allowHalfOpen: boolean } = {
    ...(preface ? { socket: prefaced(address, localAddresses, preface) } : target(address, localAddresses)),
    allowHalfOpen: true,
    secureContext: context,
    servername: serverName,
    ALPNProtocols: alpn.length > 0 ? [...alpn] : undefined,
    rejectUnauthorized: plan.verifiesPeer,
    // Names are checked below, by the plan's own matchers.
    checkServerIdentity: () => undefined,
    session: saved?.session,
  };
  const connecting = tls.connect(options);
  socket = connecting;
  connecting.setNoDelay(true);
  let hasTcp = false;
  connecting.once("connect", () => {
    hasTcp = true;
  });
  connecting.on("session", (session: Buffer) => {
    // Before the peer is known (TLS 1.2 may be this early) a session cannot stand for it.
    if (plan.verifiesPeer && !peer) return;
    const latest = sessionCache(plan);
    const { maxSessions = defaultMaxSessions } = plan;
    // The latest comes last; the oldest makes room.
    latest.byAddress.delete(key);
    if (latest.byAddress.size >= maxSessions) deleteFirst(latest.byAddress);
    if (maxSessions <= 0) return;
    untilMs ??= connecting.isSessionReused() && saved ? saved.untilMs : endOfCertificates(connecting);
    latest.byAddress.set(key, { session, peer, untilMs });
  });
  connecting.on("error", (error: NodeJS.ErrnoException) => {
    cache.byAddress.delete(key);
    if (hasTcp) fail("", `TLS_error: ${error.code ?? error.message}`);
    else fail(describe(error), "");
  });
  connecting.on("close", () => fail("", hasTcp ? "TLS_error: closed during the handshake" : ""));
  connecting.once("secureConnect", () => {
    if (isSettled) return;
    const certificate = connecting.getPeerX509Certificate();
    if (certificate && plan.verifiesPeer) {
      peer = new PeerCertificate(certificate);
      const fault = svidFault(certificate, peer, plan.context.svidDomains);
      if (fault) {
        fail("", `TLS_error: ${fault}`);
        return;
      }
    } else if (connecting.isSessionReused()) peer = saved?.peer;
    if (plan.verifiesServerName && !peer?.dnsNames.some((name) => coversHost(name, serverName))) {
      fail(
        "",
        `TLS_error: verify SAN list: the certificate is not for ${serverName || "any name asked for"}`,
      );
      return;
    }
    if (plan.matchesSan && !(peer && plan.matchesSan(peer))) {
      const names = peer?.uris.join(", ") || peer?.subject || "none";
      fail("", `TLS_error: verify SAN list: none of ${names} is accepted`);
      return;
    }
    isSettled = true;
    events.onConnected(connecting, peer, connecting.alpnProtocol || "");
  });
  return {
    cancel() {
      isSettled = true;
      connecting.destroy();
    },
  };
}

/** When the first of the certificates that both ends showed expires. */
function endOfCertificates(socket: TLSSocket): number {
  const ends = [socket.getPeerX509Certificate(), socket.getX509Certificate()];
  return Math.min(...ends.map((one) => one?.validToDate.getTime() ?? Number.POSITIVE_INFINITY));
}

/** A socket that sends `preface` as soon as it is connected, ahead of what TLS has to say. */
function prefaced(
  address: SocketAddress,
  localAddresses: readonly string[] | undefined,
  preface: Buffer,
): Socket {
  const socket = net.connect({ ...target(address, localAddresses), noDelay: true, allowHalfOpen: true });
  socket.write(preface);
  return socket;
}

/** Sessions of an earlier certificate are forgotten: a rotation means a full handshake. */
function sessionCache(plan: UpstreamTlsPlan): SessionCache {
  let cache = sessions.get(plan);
  if (!cache) {
    cache = { generation: plan.context.generation, byAddress: new Map() };
    sessions.set(plan, cache);
  } else if (cache.generation !== plan.context.generation) {
    cache.generation = plan.context.generation;
    cache.byAddress.clear();
  }
  return cache;
}

function deleteFirst(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}

function target(
  address: SocketAddress,
  localAddresses: readonly string[] = [],
): { host: string; port: number; localAddress?: string } | { path: string } {
  if (address.kind === "pipe") return { path: address.path };
  const { host, port } = address;
  const localAddress = localAddresses.find((local) => net.isIPv6(local) === net.isIPv6(host));
  return localAddress === undefined ? { host, port } : { host, port, localAddress };
}

function describe(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ECONNREFUSED":
      return "Connection refused";
    case "EHOSTUNREACH":
      return "No route to host";
    case "ENETUNREACH":
      return "Network is unreachable";
    case "ECONNRESET":
      return "Connection reset by peer";
    case "ETIMEDOUT":
      return "Connection timed out";
    default:
      return error.message;
  }
}
