import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chainPlan,
  clusterPlan,
  forwardTo,
  httpPlan,
  listenerPlan,
  routesTo,
  startTestProxy,
} from "../listener/test-proxy.ts";
import { RawClient, startServer } from "../listener/test-raw-client.ts";
import type { MirrorPlan } from "../route/mirror-plan.ts";

const mirror: MirrorPlan = {
  clusterOf: () => "other",
  fraction: 1,
  marksHost: true,
  authority: undefined,
  mutate: undefined,
};

const bodyBytes = 32 * 1024 * 1024;

/** A proxy whose copies go to `other`, and whose main upstream answers once it has the whole body. */
async function proxyWith(plan: MirrorPlan, serve: Parameters<typeof startServer>[0]) {
  const main = await startServer((socket) => {
    let bytes = 0;
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bodyBytes) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
  });
  const other = await startServer(serve);
  const http = httpPlan({ routes: routesTo(forwardTo("upstream", { mirrors: [plan] })) });
  const proxy = await startTestProxy(
    [listenerPlan([chainPlan(http)])],
    [clusterPlan([main.address]), clusterPlan([other.address], { name: "other", statName: "other" })],
  );
  const client = await RawClient.connect(proxy.port());
  return {
    proxy,
    client,
    async close() {
      client.close();
      await proxy.close();
      await main.close();
      await other.close();
    },
  };
}

test("a copy whose upstream reads nothing is given up and holds up nothing", async () => {
  const { client, proxy, close } = await proxyWith(mirror, (socket) => socket.pause());
  client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${bodyBytes}\r\n\r\n`);
  client.send(Buffer.alloc(bodyBytes));
  assert.match(await client.until(/ok$/), /^HTTP\/1.1 200 /);
  assert.equal(proxy.metric("envoy_cluster_upstream_rq_tx_reset"), 1);
  assert.equal(proxy.metric("envoy_cluster_upstream_rq_active"), 0);
  await close();
});

test("as many requests are copied as the policy says", async () => {
  let copies = 0;
  const { client, close } = await proxyWith({ ...mirror, fraction: 0 }, (socket) => {
    copies += 1;
    socket.resume();
  });
  client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${bodyBytes}\r\n\r\n`);
  client.send(Buffer.alloc(bodyBytes));
  await client.until(/ok$/);
  assert.equal(copies, 0);
  await close();
});
