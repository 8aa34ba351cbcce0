/**
 * Sends requests at a constant rate whatever the answers take (open loop), and
 * prints the latency of each in microseconds as a JSON list.
 *
 * A request is timed from when it was handed to the socket; one that finds all
 * connections busy is timed from when it was due, so that a stalled proxy
 * cannot hide its stall by slowing the client down.
 *
 *   node bench/constant-rate-client.ts URL PROTOCOL RATE SECONDS CONNECTIONS [HOST]
 */
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { grpcMessage } from "./load.ts";

const [target, protocol, ...numbers] = process.argv.slice(2);
const [rate, seconds, connections] = numbers.map(Number) as [number, number, number];
const url = new URL(target!);
const host = numbers[3] ?? url.host;

/** Sends one request; `done` is called when its response is complete. */
type Send = (done: (isOk: boolean) => void) => boolean;

const send = protocol === "http1" ? await openHttp1() : await openHttp2();
const latencies: number[] = [];
const waiting: number[] = [];
let failures = 0;
let sent = 0;
const total = rate * seconds;
const startMs = performance.now();
tick();

function tick(): void {
  const nowMs = performance.now();
  const due = Math.min(total, Math.floor(((nowMs - startMs) * rate) / 1_000) + 1);
  for (; sent < due; sent++) begin(nowMs);
  if (latencies.length + failures >= total) finish();
  else if (nowMs - startMs > seconds * 1_000 + 10_000) finish();
  else setTimeout(tick, 1);
}

function begin(dueMs: number): void {
  const wasSent = send((isOk) => {
    if (isOk) latencies.push(Math.round((performance.now() - dueMs) * 1_000));
    else failures += 1;
    const next = waiting.shift();
    if (next !== undefined) begin(next);
  });
  if (!wasSent) waiting.push(dueMs);
}

function finish(): never {
  const text = JSON.stringify({ failures: total - latencies.length, latencies });
  process.stdout.write(text, () => process.exit(0));
  return undefined as never;
}

async function openHttp1(): Promise<Send> {
  const request = Buffer.from(`GET ${url.pathname} HTTP/1.1\r\nhost: ${host}\r\n\r\n`, "latin1");
  const idle: Socket[] = [];
  const callbacks = new Map<Socket, (isOk: boolean) => void>();
  await Promise.all(
    Array.from({ length: connections }, () => {
      const socket = connect({ port: Number(url.port), host: url.hostname, noDelay: true });
      let received = 0;
      let expected = 0;
      let isOk = false;
      const complete = () => {
        const done = callbacks.get(socket);
        callbacks.delete(socket);
        expected = 0;
        received = 0;
        idle.push(socket);
        done?.(isOk);
      };
      socket.on("data", (chunk) => {
        if (expected === 0) {
          const head = chunk.toString("latin1");
          const length = /\r\ncontent-length: (\d+)/i.exec(head);
          isOk = head.startsWith("HTTP/1.1 200");
          expected = head.indexOf("\r\n\r\n") + 4 + Number(length?.[1] ?? 0);
        }
        received += chunk.length;
        if (received >= expected) complete();
      });
      socket.on("error", () => callbacks.get(socket)?.(false));
      return new Promise<void>((resolve) => {
        socket.once("connect", () => {
          idle.push(socket);
          resolve();
        });
      });
    }),
  );
  return (done) => {
    // The connection that has been idle longest, so that all are used in turn.
    const socket = idle.shift();
    if (!socket) return false;
    callbacks.set(socket, done);
    socket.write(request);
    return true;
  };
}

async function openHttp2(): Promise<Send> {
  const sessions = await Promise.all(
    Array.from({ length: connections }, () => {
      const session = connectHttp2(url.origin);
      return new Promise<ClientHttp2Session>((resolve, reject) => {
        session.once("remoteSettings", () => resolve(session));
        session.once("error", reject);
      });
    }),
  );
  const isGrpc = protocol === "grpc";
  const headers = isGrpc
    ? { ":method": "POST", ":path": url.pathname, "content-type": "application/grpc", te: "trailers" }
    : { ":path": url.pathname };
  let next = 0;
  return (done) => {
    const stream = sessions[next++ % sessions.length]!.request(headers);
    if (isGrpc) stream.end(grpcMessage);
    let isOk = false;
    stream.on("response", (headers) => {
      isOk = headers[":status"] === 200;
    });
    stream.on("error", () => {
      isOk = false;
    });
    stream.on("close", () => done(isOk));
    stream.resume();
    return true;
  };
}
