import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { afterEach, it } from "node:test";
import { chainPlan, clusterPlan, listenerPlan, startTestProxy, tcpPlan } from "../listener/test-proxy.ts";
import { RawClient } from "../listener/test-raw-client.ts";
import { createTunnelServer1, createTunnelServer2 } from "../listener/test-tunnel-servers.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

for (const protocol of ["http1", "http2"] as const) {
  async function tunnels(maxConnectAttempts: number, hostname: string, postPath?: string) {
    const server = protocol === "http1" ? createTunnelServer1() : createTunnelServer2();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    closers.push(() => void server.close());
    const address = { kind: "ip", host: "127.0.0.1", port: (server.address() as AddressInfo).port } as const;
    const tunnel = { hostname, postPath, headers: undefined };
    const proxy = await startTestProxy(
      [listenerPlan([chainPlan(tcpPlan({ tunnel, maxConnectAttempts }))], { bufferLimitBytes: 64 * 1024 })],
      [clusterPlan([address], { protocol, bufferLimitBytes: 64 * 1024 })],
    );
    closers.push(() => proxy.close());
    const client = await RawClient.connect(proxy.port());
    closers.push(() => client.close());
    return { proxy, client };
  }

  for (const postPath of [undefined, "/"]) {
    it(`a tunnel over ${protocol}, by ${postPath ? "POST" : "CONNECT"}, carries much more than its buffers hold`, async () => {
      const { client, proxy } = await tunnels(1, "host.example:443", postPath);
      const sent = Buffer.alloc(8 * 1024 * 1024, "0123456789abcdef").toString("latin1");
      client.send(sent);
      client.socket.end();
      const received = await client.untilClosed();
      const body = received.slice(received.indexOf("] ") + 2);
      assert.ok(body === `${sent} bye`, `${body.length} of ${sent.length + 4} bytes are as they were sent`);
      while (proxy.metric("envoy_cluster_upstream_rq_active") > 0) await new Promise((r) => setImmediate(r));
    });
  }

  it(`a tunnel that is refused over ${protocol} is tried as often as the plan says, and leaves nothing behind`, async () => {
    const { client, proxy } = await tunnels(3, "refused.example:1");
    assert.equal(await client.untilClosed(), "");
    assert.equal(proxy.metric("envoy_cluster_upstream_rq_total"), 3);
    assert.equal(proxy.metric("envoy_cluster_upstream_rq_active"), 0);
    assert.equal(proxy.metric("envoy_cluster_upstream_cx_connect_attempts_exceeded"), 1);
  });
}
