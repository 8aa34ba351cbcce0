import assert from "node:assert/strict";
import { afterEach, it } from "node:test";
import { chainPlan, clusterPlan, httpPlan, listenerPlan, startTestProxy } from "../listener/test-proxy.ts";
import { RawClient, startServer } from "../listener/test-raw-client.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { UpstreamProxyProtocol } from "../net/upstream-proxy-protocol.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const version1: UpstreamProxyProtocol = { version: 1, addedTlvs: [], passesTlv: () => false };
const request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/** An HTTP server that answers with the PROXY line of its connection. */
async function startTelling(): Promise<SocketAddress> {
  const server = await startServer((socket) => {
    let text = "";
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      const [, line, head] = /^(PROXY [^\r]*)\r\n(.*\r\n\r\n)$/s.exec(text) ?? [];
      if (line === undefined) return;
      text = text.slice(0, -head!.length);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${line.length}\r\n\r\n${line}`);
    });
  });
  closers.push(() => server.close());
  return server.address;
}

it("HTTP connections that begin with a PROXY header serve one client's request each", async () => {
  const address = await startTelling();
  const transports = [{ match: [], tls: undefined, proxyProtocol: version1 }];
  const proxy = await startTestProxy(
    [listenerPlan([chainPlan(httpPlan())])],
    [clusterPlan([address], { transports })],
  );
  closers.push(() => proxy.close());
  const clients = [await RawClient.connect(proxy.port()), await RawClient.connect(proxy.port())];
  for (const client of [...clients, ...clients]) {
    closers.push(() => client.close());
    const { localPort } = client.socket;
    client.text = "";
    client.send(request);
    await client.until(new RegExp(`PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort} ${proxy.port()}$`));
  }
  assert.equal(proxy.metric("envoy_cluster_upstream_cx_total"), 4);
  while (proxy.metric("envoy_cluster_upstream_cx_active") > 0) await new Promise((r) => setImmediate(r));
});
