import assert from "node:assert/strict";
import { describe, it } from "node:test";
import tls from "node:tls";
import { TestCa, type TestSvid } from "@weft/testkit/test-ca";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import type { Exchange } from "../layer/exchange.ts";
import { formatResponseFlags } from "../layer/response-flag.ts";
import type { DownstreamTlsPlan, TlsContextSource, UpstreamTlsPlan } from "../net/tls-plan.ts";
import { chainPlan, clusterPlan, httpPlan, listenerPlan, loopback } from "./test-proxy.ts";
import { RawClient } from "./test-raw-client.ts";
import { closers, connect, server, start } from "./test-scene.ts";

const get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

const ca = new TestCa();
const reviews = ca.leaf("default", "reviews");
const productpage = ca.leaf("default", "productpage");

function contextOf(svid: TestSvid, trust = ca.bundlePem): TlsContextSource & { current: tls.SecureContext } {
  return {
    current: tls.createSecureContext({ cert: svid.chainPem, key: svid.keyPem, ca: trust }),
    generation: 1,
  };
}

const strict: DownstreamTlsPlan = {
  context: contextOf(reviews),
  requireClientCertificate: true,
  alpnProtocols: ["istio", "http/1.1"],
  matchesSan: undefined,
};

describe("mutual TLS", () => {
  function tlsClient(port: number, svid: TestSvid | undefined, trust = ca.bundlePem): tls.TLSSocket {
    const socket = tls.connect({
      port,
      host: "127.0.0.1",
      servername: "reviews",
      ALPNProtocols: ["istio"],
      cert: svid?.chainPem,
      key: svid?.keyPem,
      ca: trust,
      checkServerIdentity: () => undefined,
    });
    socket.on("error", () => {});
    closers.push(() => void socket.destroy());
    return socket;
  }

  async function strictProxy(plan: Partial<DownstreamTlsPlan> = {}) {
    let hits = 0;
    const up = await server((socket) => {
      hits += 1;
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    });
    const logged: Exchange[] = [];
    const http = httpPlan({
      accessLogs: [{ log: (exchange) => void logged.push(exchange) }],
      forwardClientCert: "sanitize-set",
      setClientCertDetails: { subject: false, cert: false, chain: false, dns: false, uri: true },
    });
    const inspected = {
      originalDst: false,
      tlsInspector: true,
      httpInspector: true,
      timeoutMs: 15_000,
      continueOnTimeout: false,
    };
    const match = { ...chainPlan(http).match, transportProtocol: "tls", applicationProtocols: ["istio"] };
    const chain = chainPlan(http, { match, tls: { ...strict, ...plan } });
    const proxy = await start(
      [listenerPlan([chain], { listenerFilters: inspected })],
      [clusterPlan([up.address])],
    );
    return { proxy, logged, hits: () => hits };
  }

  it("carries the proven identity to filters, logs and the upstream", async () => {
    const { proxy, logged } = await strictProxy();
    const client = new RawClient(tlsClient(proxy.port(), productpage));
    client.send(get);
    await client.until(/ok$/);
    const { connection } = logged[0]!;
    assert.deepEqual(connection.peer?.uris, ["spiffe://cluster.local/ns/default/sa/productpage"]);
    assert.deepEqual(connection.ownUris, ["spiffe://cluster.local/ns/default/sa/reviews"]);
    assert.deepEqual(
      [connection.requestedServerName, connection.alpn, connection.isTls],
      ["reviews", "istio", true],
    );
    assert.match(
      logged[0]!.request!.headers.get("x-forwarded-client-cert")!,
      /^By=spiffe:\/\/cluster.local\/ns\/default\/sa\/reviews;Hash=[0-9a-f]{64};URI=spiffe:\/\/cluster.local\/ns\/default\/sa\/productpage$/,
    );
  });

  const bad = ca.badLeaves();
  const refused: readonly (readonly [string, TestSvid | undefined, Partial<DownstreamTlsPlan>])[] = [
    ["no certificate", undefined, {}],
    ["an expired certificate", bad.expired, {}],
    ["a certificate of a foreign root", bad.foreignRoot, {}],
    ["a forged certificate", bad.forgedSignature, {}],
    ["a certificate signed by another's leaf", bad.signedByLeaf, {}],
    ["two URI names, which of them to believe being unclear", bad.twoSans, {}],
    ["a certificate of an authority", bad.caFlagged, {}],
    ["a certificate that may sign others", bad.mayCertify, {}],
    ["a name nobody accepts", productpage, { matchesSan: () => false }],
  ];
  for (const [why, svid, plan] of refused) {
    it(`lets no byte pass for ${why}`, async () => {
      const { proxy, hits } = await strictProxy(plan);
      const socket = tlsClient(proxy.port(), svid);
      let received = 0;
      socket.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      socket.write(get);
      await new Promise<void>((resolve) => socket.once("close", () => resolve()));
      assert.equal(received, 0);
      assert.equal(hits(), 0);
      assert.equal(proxy.metric("envoy_http_downstream_rq_total"), 0);
      assert.equal(proxy.metric("envoy_listener_ssl_connection_error"), 1);
    });
  }

  it("counts a connection until it is closed", async () => {
    const { proxy } = await strictProxy();
    const socket = tlsClient(proxy.port(), productpage);
    const client = new RawClient(socket);
    client.send(get);
    await client.until(/ok$/);
    assert.equal(proxy.metric("envoy_listener_downstream_cx_active"), 1);
    socket.destroy();
    while (proxy.metric("envoy_listener_downstream_cx_active") > 0) await new Promise((r) => setImmediate(r));
    assert.equal(proxy.metric("envoy_http_downstream_cx_active"), 0);
  });

  it("refuses plain text before a byte reaches the application", async () => {
    const { proxy, hits } = await strictProxy();
    const client = await connect(proxy.port());
    client.send(get);
    assert.equal(await client.untilClosed(), "");
    assert.equal(hits(), 0);
    assert.equal(proxy.metric("envoy_listener_no_filter_chain_match"), 1);
  });

  it("makes new handshakes with a rotated certificate and leaves old connections alone", async () => {
    const context = { ...contextOf(reviews) };
    const { proxy } = await strictProxy({ context });
    const old = new RawClient(tlsClient(proxy.port(), productpage));
    old.send(get);
    await old.until(/ok$/);
    const renewed = ca.leaf("default", "renewed");
    context.current = contextOf(renewed).current;
    (context as { generation: number }).generation = 2;
    const socket = tlsClient(proxy.port(), productpage);
    await new Promise<void>((resolve) => socket.once("secureConnect", () => resolve()));
    assert.match(socket.getPeerX509Certificate()!.subjectAltName!, /sa\/renewed/);
    old.text = "";
    old.send(get);
    await old.until(/ok$/);
  });

  it("is spoken between two proxies, with the upstream's name checked", async () => {
    const { proxy: inbound } = await strictProxy();
    const endpoint = { ...loopback, port: inbound.port() } as const;
    const transport = (matchesSan: UpstreamTlsPlan["matchesSan"]): ClusterPlan["transports"] => [
      {
        match: [],
        tls: {
          context: contextOf(productpage),
          sni: "reviews",
          alpnProtocols: ["istio"],
          verifiesPeer: true,
          matchesSan,
        },
      },
    ];
    const logged: Exchange[] = [];
    const http = httpPlan({ accessLogs: [{ log: (exchange) => void logged.push(exchange) }] });
    const named = (sa: string) =>
      transport((peer) => peer.uris[0] === `spiffe://cluster.local/ns/default/sa/${sa}`);
    for (const [name, status] of [
      ["reviews", 200],
      ["ratings", 503],
    ] as const) {
      const outbound = await start(
        [listenerPlan([chainPlan(http)])],
        [clusterPlan([endpoint], { transports: named(name) })],
      );
      const client = await connect(outbound.port());
      client.send(get);
      await client.until(new RegExp(`^HTTP/1.1 ${status} `));
    }
    assert.deepEqual(logged[0]!.upstreamPeer?.uris, ["spiffe://cluster.local/ns/default/sa/reviews"]);
    assert.match(logged[1]!.upstreamTransportFailure, /verify SAN list/);
    assert.equal(formatResponseFlags(logged[1]!.flags), "UF");
  });
});
