import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import { until } from "@weft/testkit/until";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import {
  chainPlan,
  clusterPlan,
  httpPlan,
  listenerPlan,
  startTestProxy,
  type TestProxy,
} from "../listener/test-proxy.ts";

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** An upstream of either protocol that counts its connections and answers when told to. */
async function setUp(protocol: "http1" | "http2", plan: Partial<ClusterPlan>) {
  let answer = () => {};
  const listener = (
    request: { readonly url?: string | undefined },
    response: { end(): unknown; setHeader(name: string, value: string): unknown },
  ) => {
    for (let i = 0; i < 50 && request.url === "/many"; i++) response.setHeader(`x-${i}`, "1");
    if (request.url === "/slow") answer = () => void response.end();
    else response.end();
  };
  const server = protocol === "http1" ? http.createServer(listener) : http2.createServer(listener);
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => sockets.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const proxy: TestProxy = await startTestProxy(
    [listenerPlan([chainPlan(httpPlan())])],
    [clusterPlan([{ kind: "ip", host: "127.0.0.1", port }], { protocol, ...plan })],
  );
  closers.push(() => proxy.close());
  return {
    answer: () => answer(),
    connections: () => sockets.length,
    metric: (name: string) => proxy.metric(`envoy_cluster_upstream_cx_${name}`),
    async get(path = "/") {
      const response = await fetch(`http://127.0.0.1:${proxy.port()}${path}`);
      await response.arrayBuffer();
      return response.status;
    },
  };
}

/** A bound so that a test that waits in vain fails. */
function untilTrue(isTrue: () => boolean): Promise<void> {
  return until(`${isTrue}`, isTrue, { everyMs: 5 });
}

for (const protocol of ["http1", "http2"] as const) {
  describe(`connections over ${protocol}`, () => {
    it("close when they have grown too old, once they are idle", async () => {
      const { get, answer, connections, metric } = await setUp(protocol, { maxConnectionDurationMs: 60 });
      const slow = get("/slow");
      await untilTrue(() => metric("max_duration_reached") === 1);
      assert.equal(metric("active"), 1, "the request goes on");
      answer();
      assert.equal(await slow, 200);
      await untilTrue(() => metric("active") === 0);
      assert.equal(await get(), 200);
      assert.equal(connections(), 2);
      await untilTrue(() => metric("active") === 0);
      assert.equal(metric("max_duration_reached"), 2);
    });

    it("take as many requests as they may", async () => {
      const { get, connections, metric } = await setUp(protocol, { maxRequestsPerConnection: 2 });
      for (let i = 0; i < 5; i++) assert.equal(await get(), 200);
      assert.deepEqual([connections(), metric("max_requests")], [3, 2]);
    });

    it("close when they have been idle for too long", async () => {
      const { get, metric } = await setUp(protocol, { idleTimeoutMs: 20 });
      assert.equal(await get(), 200);
      await untilTrue(() => metric("active") === 0);
      assert.equal(metric("idle_timeout"), 1);
    });

    it("refuse responses with more fields than max_headers_count", async () => {
      const { get } = await setUp(protocol, { maxResponseHeaders: 10 });
      assert.equal(await get(), 200);
      assert.ok((await get("/many")) >= 500);
    });
  });
}
