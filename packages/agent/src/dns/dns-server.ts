import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { buildAddressAnswer, buildErrorAnswer } from "./answer.ts";
import { type Forwarder, lengthPrefix } from "./forwarder.ts";
import type { MeshNames } from "./mesh-names.ts";
import { parseQuery, rcode } from "./query.ts";

export interface DnsServerOptions {
  /** Loopback addresses to listen on, UDP and TCP alike. One that the host lacks (no IPv6) is left out. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Read for every question, so a new table counts at once. */
  readonly names: () => MeshNames;
  /** Whether the application can call addresses of that record type; of others it is told none. */
  readonly isCallable: (type: string) => boolean;
  readonly forwarder: Forwarder;
}

export interface DnsServer {
  /** The port listened on; of interest when asked for port 0. */
  readonly port: number;
  close(): Promise<void>;
}

const maxTcpConnections = 128;
const maxTcpInFlight = 32;
const tcpIdleMs = 10_000;
const maxTcpAnswerBytes = 65_535;

/**
 * Answers the mesh's names from the control plane's table and passes everything
 * else to the host's resolvers, over UDP and TCP. No packet, however malformed,
 * ends or blocks it; a question it can't get answered is a SERVFAIL.
 */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const closers: (() => Promise<void>)[] = [];
  let port = options.port;
  for (const [index, address] of options.addresses.entries()) {
    try {
      const tcp = await listenTcp(address, port, options);
      closers.push(tcp.close);
      port = tcp.port;
      closers.push(await listenUdp(address, port, options));
    } catch (thrown) {
      if (index > 0 && isFamilyMissing(thrown)) continue;
      await Promise.all(closers.map((close) => close()));
      throw thrown;
    }
  }
  return {
    port,
    close: async () => void (await Promise.all(closers.map((close) => close()))),
  };
}

async function answer(
  packet: Buffer,
  transport: "udp" | "tcp",
  { names, isCallable, forwarder }: DnsServerOptions,
): Promise<Buffer | undefined> {
  const parsed = parseQuery(packet);
  if (parsed.t === "ignore") return undefined;
  if (parsed.t === "refuse") return buildErrorAnswer(packet, parsed.rcode);
  const { query } = parsed;
  const addresses = query.isInternet ? names().resolve(query.name) : undefined;
  if (addresses) {
    const told = isCallable(query.type) ? addresses : [];
    return buildAddressAnswer(query, told, transport === "udp" ? query.maxUdpBytes : maxTcpAnswerBytes);
  }
  try {
    return await forwarder.forward(packet, query, transport);
  } catch {
    return buildErrorAnswer(packet, rcode.serverFailure, query);
  }
}

async function listenUdp(
  address: string,
  port: number,
  options: DnsServerOptions,
): Promise<() => Promise<void>> {
  const socket: UdpSocket = createSocket(
    address.includes(":") ? { type: "udp6", ipv6Only: true } : { type: "udp4" },
  );
  socket.on("message", (packet, peer) => {
    void answer(packet, "udp", options).then((reply) => {
      if (reply && !isClosed) socket.send(reply, peer.port, peer.address, () => {});
    });
  });
  let isClosed = false;
  socket.bind(port, address);
  await once(socket, "listening");
  socket.on("error", () => {}); // an ICMP error of one client is not ours
  return () =>
    new Promise((resolve) => {
      isClosed = true;
      socket.close(() => resolve());
    });
}

async function listenTcp(
  address: string,
  port: number,
  options: DnsServerOptions,
): Promise<{ port: number; close: () => Promise<void> }> {
  const connections = new Set<Socket>();
  const server: Server = createServer((socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    serveTcp(socket, options);
  });
  server.maxConnections = maxTcpConnections;
  server.listen({ port, host: address, ipv6Only: true });
  await once(server, "listening");
  server.on("error", () => {});
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound ? bound.port : port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of connections) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function serveTcp(socket: Socket, options: DnsServerOptions): void {
  let received = Buffer.alloc(0);
  let inFlight = 0;
  socket.setTimeout(tcpIdleMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  const take = () => {
    while (inFlight < maxTcpInFlight && received.length >= 2) {
      const length = received.readUInt16BE(0);
      if (received.length < 2 + length) break;
      const packet = Buffer.from(received.subarray(2, 2 + length));
      received = received.subarray(2 + length);
      inFlight += 1;
      void answer(packet, "tcp", options).then((reply) => {
        inFlight -= 1;
        if (socket.destroyed) return;
        if (reply) socket.write(Buffer.concat([lengthPrefix(reply), reply]));
        else socket.destroy(); // not a question: this is not a DNS client
        take();
      });
    }
    // At most one message waits in full behind those in flight.
    if (received.length > 2 + 65_535) socket.pause();
    else socket.resume();
  };
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    take();
  });
}

function isFamilyMissing(thrown: unknown): boolean {
  const code = (thrown as NodeJS.ErrnoException).code;
  return code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT";
}
