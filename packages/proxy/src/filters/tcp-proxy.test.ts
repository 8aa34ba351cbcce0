import assert from "node:assert/strict";
import { createHash, type Hash } from "node:crypto";
import net, { type Socket } from "node:net";
import { describe, it } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { freePort } from "@weft/testkit/free-port";
import type { Exchange } from "../layer/exchange.ts";
import { formatResponseFlags } from "../layer/response-flag.ts";
import type { RuntimeOptions } from "../listener/runtime.ts";
import { chainPlan, clusterPlan, listenerPlan, tcpPlan } from "../listener/test-proxy.ts";
import { closers, connect, server, start } from "../listener/test-scene.ts";

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** What a log line would hold, taken when it was asked for. */
interface Line {
  readonly type: string | undefined;
  readonly flags: string;
  readonly bytes: readonly [received: number, sent: number];
}

describe("a TCP proxy", () => {
  async function tcpProxy(
    serve: (socket: Socket) => void,
    plan: Parameters<typeof tcpPlan>[0] = {},
    options: Partial<RuntimeOptions> = {},
  ) {
    const up = await server(serve);
    const logged: Exchange[] = [];
    const terminal = tcpPlan({ accessLogs: [{ log: (exchange) => void logged.push(exchange) }], ...plan });
    const proxy = await start([listenerPlan([chainPlan(terminal)])], [clusterPlan([up.address])], options);
    return { proxy, logged };
  }

  it("lets the server speak first, and each side end on its own", async () => {
    const { proxy, logged } = await tcpProxy((socket) => {
      socket.write("welcome");
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      socket.on("end", () => socket.end(`bye ${text}`));
    });
    const client = await connect(proxy.port());
    await client.until(/^welcome$/);
    client.socket.end("hello");
    assert.equal(await client.untilClosed(), "welcomebye hello");
    while (logged.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const [exchange] = logged;
    assert.deepEqual([exchange!.bytesReceived, exchange!.bytesSent, exchange!.flags], [5, 16, 0]);
    assert.equal(proxy.metric("envoy_cluster_upstream_cx_active"), 0);
  });

  it("says why it could not connect", async () => {
    const dead = { kind: "ip", host: "127.0.0.1", port: await freePort() } as const;
    const logged: Exchange[] = [];
    const terminal = tcpPlan({
      accessLogs: [{ log: (exchange) => void logged.push(exchange) }],
      maxConnectAttempts: 2,
    });
    const proxy = await start([listenerPlan([chainPlan(terminal)])], [clusterPlan([dead])]);
    const client = await connect(proxy.port());
    await client.untilClosed();
    assert.equal(logged[0]!.attempts, 2);
    assert.equal(formatResponseFlags(logged[0]!.flags), "URX,UF");
    assert.equal(logged[0]!.upstreamTransportFailure, "delayed connect error: Connection refused");
    assert.equal(proxy.metric("envoy_cluster_upstream_cx_connect_attempts_exceeded"), 1);
  });

  it("closes what is idle", async () => {
    const { proxy, logged } = await tcpProxy(() => {}, { idleTimeoutMs: 30 });
    const client = await connect(proxy.port());
    await client.untilClosed();
    assert.equal(logged[0]!.connection.localCloseReason, "tcp_session_idle_timeout");
    assert.equal(logged[0]!.flags, 0);
  });

  it("reads no faster than the other side takes", async () => {
    const up = await server((socket) => socket.pause());
    const proxy = await start(
      [listenerPlan([chainPlan(tcpPlan())], { bufferLimitBytes: 64 * 1024 })],
      [clusterPlan([up.address], { bufferLimitBytes: 64 * 1024 })],
    );
    const socket = net.connect({ port: proxy.port(), host: "127.0.0.1" });
    closers.push(() => void socket.destroy());
    const chunk = Buffer.alloc(64 * 1024, "x");
    let sent = 0;
    for (let still = 0; still < 20 && sent < 256 * 1024 * 1024; ) {
      if (socket.writableLength === 0) {
        socket.write(chunk);
        sent += chunk.length;
        still = 0;
      } else still += 1;
      await new Promise((resolve) => setTimeout(resolve, still > 0 ? 5 : 0));
    }
    assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes went into a connection nobody reads`);
  });

  it("waits between attempts as the plan says", async () => {
    const dead = { kind: "ip", host: "127.0.0.1", port: await freePort() } as const;
    const clock = new FakeClock();
    const terminal = tcpPlan({ maxConnectAttempts: 2, backoff: { baseMs: 100, maxMs: 1_000 } });
    const proxy = await start([listenerPlan([chainPlan(terminal)])], [clusterPlan([dead])], {
      clock,
      random: () => 0.5,
    });
    const client = await connect(proxy.port());
    await until(() => proxy.metric("envoy_cluster_upstream_cx_connect_fail") === 1);
    await clock.advance(49);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(proxy.metric("envoy_cluster_upstream_cx_total"), 1);
    await clock.advance(1);
    await client.untilClosed();
    assert.equal(proxy.metric("envoy_cluster_upstream_cx_total"), 2);
  });

  it("ends a connection that has lasted long enough, jitter included", async () => {
    const clock = new FakeClock();
    const plan = { maxDurationMs: 1_000, maxDurationJitter: 0.5 };
    const { proxy, logged } = await tcpProxy((socket) => socket.write("hi"), plan, {
      clock,
      random: () => 0.5,
    });
    const client = await connect(proxy.port());
    await client.until(/hi/);
    await clock.advance(1_249);
    assert.equal(logged.length, 0);
    await clock.advance(1);
    await client.untilClosed();
    assert.equal(formatResponseFlags(logged[0]!.flags), "DT");
    assert.equal(proxy.metric("envoy_tcp_max_downstream_connection_duration"), 1);
  });

  it("connects once the client has spoken, where the plan says so, and loses nothing of it", async () => {
    const { proxy, logged } = await tcpProxy(
      (socket) => {
        let text = "";
        socket.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        socket.on("end", () => socket.end(`got ${text}`));
      },
      { connectsOnData: true, maxEarlyBytes: 4 },
    );
    const silent = await connect(proxy.port());
    const client = await connect(proxy.port());
    client.socket.end("more than four bytes");
    assert.equal(await client.untilClosed(), "got more than four bytes");
    assert.equal(proxy.metric("envoy_cluster_upstream_cx_total"), 1, "the silent client has no upstream");
    silent.socket.end();
    await silent.untilClosed();
    assert.equal(logged.length, 2);
  });

  it("logs when the upstream is connected, at each interval, and at the end", async () => {
    const clock = new FakeClock();
    const lines: Line[] = [];
    const { proxy } = await tcpProxy(
      (socket) => void socket.end("hello"),
      {
        logsOnConnected: true,
        accessLogIntervalMs: 1_000,
        accessLogs: [
          {
            log: ({ logType, flags, bytesReceived, bytesSent }) =>
              void lines.push({
                type: logType,
                flags: formatResponseFlags(flags),
                bytes: [bytesReceived, bytesSent],
              }),
          },
        ],
      },
      { clock },
    );
    const client = await connect(proxy.port());
    await client.until(/hello/);
    await clock.advance(1_000);
    await clock.advance(1_000);
    client.socket.end();
    await until(() => lines.length === 4);
    assert.deepEqual(
      lines.map(({ type, bytes }) => [type, bytes[1]]),
      [
        ["TcpUpstreamConnected", 0],
        ["TcpPeriodic", 5],
        ["TcpPeriodic", 5],
        ["TcpConnectionEnd", 5],
      ],
    );
  });

  it("carries much both ways unchanged, also past a reader that is slow", async () => {
    const totalBytes = 24 * 1024 * 1024;
    const block = Buffer.alloc(1024 * 1024 + 7);
    for (let i = 0; i < block.length; i++) block[i] = (i * 31) % 251;
    const sum = (hash: Hash, bytes: Buffer, socket: Socket) => {
      hash.update(bytes);
      // Now and then nobody reads for a while.
      if (bytes[0]! % 16 === 0) {
        socket.pause();
        setImmediate(() => socket.resume());
      }
    };
    const send = (socket: Socket) => {
      const hash = createHash("sha256");
      let left = totalBytes;
      const more = () => {
        while (left > 0) {
          const bytes = block.subarray(0, Math.min(left, block.length));
          left -= bytes.length;
          hash.update(bytes);
          if (!socket.write(bytes)) {
            socket.once("drain", more);
            return;
          }
        }
        socket.end();
      };
      more();
      return hash;
    };
    const hashes: Hash[] = [];
    const over = Promise.withResolvers<void>();
    const { proxy } = await tcpProxy((socket) => {
      const received = createHash("sha256");
      socket.on("data", (bytes: Buffer) => sum(received, bytes, socket));
      hashes.push(received, send(socket));
      socket.on("end", () => over.resolve());
    });
    const socket = net.connect({ port: proxy.port(), host: "127.0.0.1", allowHalfOpen: true });
    closers.push(() => void socket.destroy());
    const received = createHash("sha256");
    socket.on("data", (bytes: Buffer) => sum(received, bytes, socket));
    const sent = send(socket);
    await Promise.all([over.promise, new Promise<void>((resolve) => socket.once("end", () => resolve()))]);
    const [receivedUp, sentUp] = hashes;
    assert.equal(receivedUp!.digest("hex"), sent.digest("hex"));
    assert.equal(received.digest("hex"), sentUp!.digest("hex"));
  });
});
