import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import { PolyglotUpstream } from "../cluster/test-polyglot-upstream.ts";
import { HeaderList } from "../layer/header-list.ts";
import { clusterPlan, startTestProxy } from "../listener/test-proxy.ts";
import { startServer } from "../listener/test-raw-client.ts";
import type { CalloutResult } from "./callout.ts";
import { callGrpc } from "./grpc-callout.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function setUp(answer: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = await startServer((socket) => {
    sockets.push(socket);
    socket.on("data", () => answer(socket));
  });
  const proxy = await startTestProxy([], [clusterPlan([server.address])]);
  closing.push(
    () => proxy.close(),
    () => server.close(),
  );
  const start = (options: { timeoutMs?: number; cluster?: string; maxResponseBytes?: number } = {}) => {
    const { promise, resolve } = Promise.withResolvers<CalloutResult>();
    const headers = new HeaderList();
    const call = proxy.runtime.callouts.start(
      {
        cluster: options.cluster ?? "upstream",
        head: { method: "GET", path: "/", authority: "x", scheme: "http", upgrade: "", headers },
        body: undefined,
        timeoutMs: options.timeoutMs ?? 0,
        maxResponseBytes: options.maxResponseBytes ?? 100,
      },
      resolve,
    );
    return { call, result: promise };
  };
  return { proxy, sockets, start };
}

describe("a call of the proxy's own", () => {
  it("brings the answer, and is counted like any request", async () => {
    const { proxy, start } = await setUp((socket) =>
      socket.write("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok"),
    );
    const result = await start().result;
    assert.ok(result.kind === "response");
    assert.deepEqual([result.head.status, result.body.toString()], [201, "ok"]);
    assert.equal(proxy.metric("envoy_cluster_upstream_rq_total"), 1);
    assert.equal(proxy.metric("envoy_cluster_upstream_rq_active"), 0);
  });

  const failures = [
    ["no such cluster", () => {}, { cluster: "gone" }, "no-cluster"],
    ["no answer in time", () => {}, { timeoutMs: 20 }, "timeout"],
    ["a connection that breaks", (socket: Socket) => socket.destroy(), {}, "reset"],
    [
      "an answer longer than allowed",
      (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n${"x".repeat(101)}`),
      {},
      "too-large",
    ],
  ] as const;
  for (const [what, answer, options, reason] of failures) {
    it(`fails for ${what}, and gives everything back`, async () => {
      const { proxy, start } = await setUp(answer);
      assert.deepEqual(await start(options).result, { kind: "failure", reason });
      assert.equal(proxy.metric("envoy_cluster_upstream_rq_active"), 0);
    });
  }

  it("goes by HTTP/2 where it is gRPC, to a cluster that otherwise follows its clients", async () => {
    const upstream = await PolyglotUpstream.start();
    const proxy = await startTestProxy(
      [],
      [clusterPlan([{ kind: "ip", host: "127.0.0.1", port: upstream.port }], { protocol: "downstream" })],
    );
    closing.push(
      () => proxy.close(),
      () => upstream.close(),
    );
    const target = { cluster: "upstream", authority: "x", metadata: [], timeoutMs: 0 };
    await new Promise((resolve) =>
      callGrpc(proxy.runtime.callouts, target, "/a.B/C", new Uint8Array(1), resolve),
    );
    assert.deepEqual(upstream.requests, ["HTTP/2"]);
  });

  it("ends when it is cancelled: the upstream is told, and nothing more is heard", async () => {
    const asked = Promise.withResolvers<Socket>();
    const { proxy, start } = await setUp((socket) => asked.resolve(socket));
    const { call, result } = start();
    const socket = await asked.promise;
    const closed = new Promise((resolve) => {
      for (const event of ["end", "close", "error"]) socket.once(event, resolve);
    });
    let isHeard = false;
    void result.then(() => {
      isHeard = true;
    });
    call.cancel();
    await closed;
    assert.equal(isHeard, false);
    assert.equal(proxy.metric("envoy_cluster_upstream_rq_active"), 0);
  });
});
