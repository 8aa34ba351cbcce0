import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { connect, isIPv6 } from "node:net";
import type { Clock } from "@weft/base/clock";
import { headerBytes, type Query } from "./query.ts";

/** Passes questions that are not the mesh's to the resolvers of the host. */
export interface Forwarder {
  /** The answer as the resolver gave it, with the client's id; rejects when none answered. */
  forward(packet: Buffer, query: Query, transport: "udp" | "tcp"): Promise<Buffer>;
}

export interface ForwarderOptions {
  readonly nameservers: () => readonly string[];
  readonly clock: Clock;
  /** Per server and attempt. */
  readonly timeoutMs?: number;
  /** Rounds over all servers, as resolv.conf's `attempts`. */
  readonly attempts?: number;
  readonly maxInFlight?: number;
  /** Only for tests: resolvers listen on 53. */
  readonly port?: number;
}

/**
 * Forwards each question from a socket of its own, on a random port, with a
 * random id; only a packet from the resolver asked, with that id and the same
 * question, is taken as the answer (RFC 5452). The question's bytes pass
 * unchanged, so a client's own 0x20 mixed case is kept both ways. A truncated
 * answer is passed on: the client repeats it over TCP, which is forwarded over TCP.
 *
 * Bounded by `maxInFlight`: beyond it a question fails at once, which a stub
 * resolver retries, instead of queueing behind a dead server.
 */
export function createForwarder(options: ForwarderOptions): Forwarder {
  const { clock, timeoutMs = 2_000, attempts = 2, maxInFlight = 512, port = 53 } = options;
  const exchanges = { udp: exchangeUdp, tcp: exchangeTcp };
  let inFlight = 0;

  return {
    async forward(packet, query, transport) {
      if (inFlight >= maxInFlight) throw new Error(`more than ${maxInFlight} questions in flight`);
      inFlight += 1;
      try {
        let failure: unknown;
        for (let attempt = 0; attempt < attempts; attempt++) {
          for (const server of options.nameservers()) {
            const sent = Buffer.from(packet);
            sent.writeUInt16BE(randomInt(0x10000), 0);
            try {
              const answer = await exchanges[transport](sent, query, { server, port, timeoutMs, clock });
              packet.copy(answer, 0, 0, 2);
              return answer;
            } catch (thrown) {
              failure = thrown;
            }
          }
        }
        throw failure ?? new Error("no resolver configured");
      } finally {
        inFlight -= 1;
      }
    },
  };
}

interface Target {
  readonly server: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

function exchangeUdp(sent: Buffer, query: Query, target: Target): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(target.server) ? "udp6" : "udp4");
    const finish = (settle: () => void) => {
      timer.cancel();
      socket.removeAllListeners();
      socket.on("error", () => {});
      socket.close();
      settle();
    };
    const timer = target.clock.setTimer(
      () => finish(() => reject(new Error(`${target.server} did not answer in ${target.timeoutMs} ms`))),
      target.timeoutMs,
    );
    let binds = 0;
    socket.on("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EADDRINUSE" && ++binds < 8) socket.bind(sourcePort());
      else finish(() => reject(cause));
    });
    socket.on("listening", () => socket.connect(target.port, target.server));
    socket.on("connect", () => socket.send(sent));
    socket.on("message", (answer) => {
      if (isAnswerTo(answer, sent, query)) finish(() => resolve(answer));
    });
    socket.bind(sourcePort());
  });
}

function exchangeTcp(sent: Buffer, query: Query, target: Target): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.server, port: target.port });
    const finish = (settle: () => void) => {
      timer.cancel();
      socket.destroy();
      settle();
    };
    const timer = target.clock.setTimer(
      () => finish(() => reject(new Error(`${target.server} did not answer in ${target.timeoutMs} ms`))),
      target.timeoutMs,
    );
    let received = Buffer.alloc(0);
    socket.on("error", (cause) => finish(() => reject(cause)));
    socket.on("end", () => finish(() => reject(new Error(`${target.server} closed the connection`))));
    socket.on("connect", () => socket.write(Buffer.concat([lengthPrefix(sent), sent])));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const length = received.readUInt16BE(0);
      if (received.length < 2 + length) return;
      const answer = received.subarray(2, 2 + length);
      finish(() =>
        isAnswerTo(answer, sent, query)
          ? resolve(answer)
          : reject(new Error(`${target.server} answered another question`)),
      );
    });
  });
}

/** The two bytes before each message on a TCP connection (RFC 1035 section 4.2.2). */
export function lengthPrefix(message: Buffer): Buffer {
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16BE(message.length);
  return prefix;
}

function isAnswerTo(answer: Buffer, sent: Buffer, query: Query): boolean {
  if (answer.length < headerBytes || answer.readUInt16BE(0) !== sent.readUInt16BE(0)) return false;
  if ((answer[2]! & 0x80) === 0) return false;
  // A resolver that can't parse the question may answer without it.
  if (answer.readUInt16BE(4) === 0) return (answer[3]! & 0x0f) !== 0;
  const end = query.question.length;
  return (
    answer.length >= end &&
    equalsIgnoringCase(answer.subarray(headerBytes, end), query.question.subarray(headerBytes))
  );
}

function equalsIgnoringCase(a: Buffer, b: Buffer): boolean {
  return a.toString("latin1").toLowerCase() === b.toString("latin1").toLowerCase();
}

let firstEphemeralPort: number | undefined;

/**
 * A random port below the kernel's ephemeral range. The application's own
 * sockets are inside it, so a redirected question of theirs and a forwarded one
 * of ours to the same resolver can never share one connection-tracking entry
 * (which would send our question back to ourselves).
 */
function sourcePort(): number {
  firstEphemeralPort ??= readFirstEphemeralPort();
  return randomInt(Math.max(1024, firstEphemeralPort - 16_384), firstEphemeralPort);
}

function readFirstEphemeralPort(): number {
  try {
    const first = Number.parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
    if (first >= 4096) return first;
  } catch {
    // not Linux, or no /proc: the usual range
  }
  return 32_768;
}
