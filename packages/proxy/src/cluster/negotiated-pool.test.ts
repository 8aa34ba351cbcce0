import assert from "node:assert/strict";
import { once } from "node:events";
import http, { type RequestListener } from "node:http";
import http2 from "node:http2";
import type net from "node:net";
import type { AddressInfo, Server } from "node:net";
import { afterEach, describe, it } from "node:test";
import tls from "node:tls";
import { TestCa } from "@weft/testkit/test-ca";
import {
  chainPlan,
  clusterPlan,
  httpPlan,
  listenerPlan,
  startTestProxy,
  type TestProxy,
} from "../listener/test-proxy.ts";
import type { UpstreamTlsPlan } from "../net/tls-plan.ts";

const ca = new TestCa();
const svid = ca.leaf("default", "reviews");
const identity = { key: svid.keyPem, cert: svid.chainPem, ca: ca.bundlePem };

const transport: UpstreamTlsPlan = {
  context: { current: tls.createSecureContext(identity), generation: 1 },
  sni: "reviews",
  alpnProtocols: ["h2", "http/1.1"],
  verifiesPeer: true,
  matchesSan: undefined,
};

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Answers with the version the request came by, and the number of connections there have been. */
async function startUpstream(speaks: "h2" | "http/1.1" | "plaintext", port = 0): Promise<Server> {
  let connections = 0;
  const answer: RequestListener = (request, response) => {
    response.end(`${request.httpVersion} ${connections}`);
  };
  const server: Server =
    speaks === "plaintext"
      ? http.createServer(answer)
      : speaks === "h2"
        ? http2.createSecureServer(identity, answer as never)
        : tls.createServer({ ...identity, ALPNProtocols: ["http/1.1"] }, (socket) =>
            plain.emit("connection", socket),
          );
  const plain = http.createServer(answer);
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    connections += 1;
    sockets.add(socket);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => stop(server));
  stops.set(server, () => {
    for (const socket of sockets) socket.destroy();
  });
  return server;
}

const stops = new WeakMap<Server, () => void>();

async function stop(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  stops.get(server)!();
  await closed;
}

async function proxyTo(port: number, hasTls: boolean): Promise<TestProxy> {
  const proxy = await startTestProxy(
    [listenerPlan([chainPlan(httpPlan())])],
    [
      clusterPlan([{ kind: "ip", host: "127.0.0.1", port }], {
        protocol: "negotiated",
        transports: [{ match: [], tls: hasTls ? transport : undefined }],
      }),
    ],
  );
  closers.push(() => proxy.close());
  return proxy;
}

async function get(proxy: TestProxy): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${proxy.port()}/`);
  return `${response.status} ${await response.text()}`;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

describe("a cluster whose endpoints say themselves what they speak", () => {
  const cases = [
    ["HTTP/2 where ALPN agrees on it, all requests on one connection", "h2", "200 2.0 1"],
    ["HTTP/1.1 where the peer knows nothing else", "http/1.1", "200 1.1 "],
    ["HTTP/1.1 where there is no TLS", "plaintext", "200 1.1 "],
  ] as const;
  for (const [name, speaks, expected] of cases) {
    it(`gets ${name}`, async () => {
      const upstream = await startUpstream(speaks);
      const proxy = await proxyTo(portOf(upstream), speaks !== "plaintext");
      const answers = await Promise.all(Array.from({ length: 8 }, () => get(proxy)));
      for (const answer of answers) assert.ok(answer.startsWith(expected), answer);
      assert.ok((await get(proxy)).startsWith(expected));
      const [http1, http2] = ["http1", "http2"].map((version) =>
        proxy.metric(`envoy_cluster_upstream_cx_${version}_total`),
      );
      assert.deepEqual([http1! > 0, http2], speaks === "h2" ? [false, 1] : [true, 0]);
    });
  }

  it("follows a peer that is replaced by one of other abilities, in either direction", async () => {
    const first = await startUpstream("h2");
    const port = portOf(first);
    const proxy = await proxyTo(port, true);
    assert.match(await get(proxy), /^200 2\.0/);
    await stop(first);
    const second = await startUpstream("http/1.1", port);
    assert.match(await get(proxy), /^200 1\.1/);
    await stop(second);
    await startUpstream("h2", port);
    assert.match(await get(proxy), /^200 2\.0/);
  });
});
