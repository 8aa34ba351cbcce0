import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import tls from "node:tls";
import { TestCa, type TestSvid } from "@weft/testkit/test-ca";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import type { Exchange } from "../layer/exchange.ts";
import { formatResponseFlags } from "../layer/response-flag.ts";
import type { DownstreamTlsPlan, TlsContextSource, UpstreamTlsPlan } from "../net/tls-plan.ts";
import { FilterChainMatcher } from "./filter-chain-matcher.ts";
import type { FilterChainMatch, ListenerPlan } from "./listener-plan.ts";
import {
  chainPlan,
  clusterPlan,
  forwardTo,
  httpPlan,
  listenerPlan,
  loopback,
  RawClient,
  routesTo,
  startServer,
  startTestProxy,
  tcpPlan,
} from "./test-proxy.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(plans: readonly ListenerPlan[], clusters: readonly ClusterPlan[]) {
  const proxy = await startTestProxy(plans, clusters);
  closers.push(() => proxy.close());
  return proxy;
}

async function connect(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  closers.push(() => client.close());
  return client;
}

async function server(serve: (socket: Socket) => void) {
  const started = await startServer(serve);
  closers.push(() => started.close());
  return started;
}

const direct = (body: string) =>
  httpPlan({ routes: routesTo({ kind: "direct-response", status: 200, body: Buffer.from(body) }) });
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

describe("a filter chain", () => {
  const none = chainPlan(tcpPlan()).match;
  const chain = (name: string, match: Partial<FilterChainMatch>) => ({ name, match: { ...none, ...match } });
  const chains = new FilterChainMatcher([
    chain("any", {}),
    chain("port", { destinationPort: 80 }),
    chain("net", { prefixRanges: [{ address: "10.0.0.0", prefixLength: 8 }] }),
    chain("subnet", { prefixRanges: [{ address: "10.1.0.0", prefixLength: 16 }] }),
    chain("subnet tls", {
      prefixRanges: [{ address: "10.1.0.0", prefixLength: 16 }],
      transportProtocol: "tls",
    }),
    chain("exact", { destinationPort: 443, serverNames: ["a.example.org"] }),
    chain("wildcard", { destinationPort: 443, serverNames: ["*.example.org"] }),
    chain("wide", { destinationPort: 443, serverNames: ["*.org"] }),
    chain("alpn", { destinationPort: 443, serverNames: ["*.org"], applicationProtocols: ["istio"] }),
    chain("local", { destinationPort: 81, sourceType: "same-ip-or-loopback" }),
    chain("external", { destinationPort: 81, sourceType: "external" }),
  ]);
  for (const [host, port, seen, expected] of [
    ["192.168.1.1", 90, {}, "any"],
    ["192.168.1.1", 80, {}, "port"],
    ["10.1.1.1", 80, {}, "port"],
    ["10.2.1.1", 90, {}, "net"],
    ["10.1.1.1", 90, {}, "subnet"],
    ["10.1.1.1", 90, { transportProtocol: "tls" }, "subnet tls"],
    ["10.1.1.1", 443, { serverName: "a.example.org" }, "exact"],
    ["10.1.1.1", 443, { serverName: "b.example.org" }, "wildcard"],
    ["10.1.1.1", 443, { serverName: "b.org" }, "wide"],
    ["10.1.1.1", 443, { serverName: "b.org", applicationProtocols: ["h2", "istio"] }, "alpn"],
    ["10.1.1.1", 443, { serverName: "b.net" }, undefined],
    ["10.1.1.1", 81, {}, "external"],
    ["10.9.9.9", 81, {}, "local"],
  ] as const) {
    it(`for ${host}:${port} ${JSON.stringify(seen)} is ${expected}`, () => {
      const found = chains.find({
        local: { kind: "ip", host, port },
        remote: { kind: "ip", host: "10.9.9.9", port: 1 },
        serverName: "",
        transportProtocol: "raw_buffer",
        applicationProtocols: [],
        ...seen,
      });
      assert.equal(found?.name, expected);
    });
  }
});

describe("a listener", () => {
  it("serves connections it has under the new plan when it changes, without a gap", async () => {
    const proxy = await start([listenerPlan([chainPlan(direct("one"))])], []);
    const port = proxy.port();
    const kept = await connect(port);
    kept.send(get);
    await kept.until(/one$/);
    assert.deepEqual(await proxy.runtime.applyListeners([listenerPlan([chainPlan(direct("two"))])]), []);
    assert.equal(proxy.port(), port);
    kept.send(get);
    await kept.until(/two$/);
    const fresh = await connect(port);
    fresh.send(get);
    await fresh.until(/two$/);
  });

  it("closes connections its new rules forbid", async () => {
    const proxy = await start([listenerPlan([chainPlan(direct("one"))])], []);
    const client = await connect(proxy.port());
    client.send(get);
    await client.until(/one$/);
    const refusing = { name: "rbac", onConnection: () => false };
    await proxy.runtime.applyListeners([
      listenerPlan([chainPlan(direct("two"), { networkFilters: [refusing] })]),
    ]);
    await client.untilClosed();
  });

  it("lets connections finish that its new rules cannot take over", async () => {
    let answer: (body: string) => void = () => {};
    const asked = Promise.withResolvers<void>();
    const up = await server((socket) => {
      socket.on("data", () => {
        answer = (body) => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
        asked.resolve();
      });
    });
    const proxy = await start(
      [listenerPlan([chainPlan(httpPlan({ routes: routesTo(forwardTo("upstream")) }))])],
      [clusterPlan([up.address])],
    );
    const client = await connect(proxy.port());
    client.send(get);
    await asked.promise;
    await proxy.runtime.applyListeners([listenerPlan([chainPlan(direct("tls"), { tls: strict })])]);
    answer("late");
    assert.match(await client.untilClosed(), /connection: close\r\n\r\nlate$/);
  });

  it("names a port that is in use, and leaves everything as it was", async () => {
    const proxy = await start([listenerPlan([chainPlan(direct("one"))])], []);
    const taken = await server(() => {});
    const failures = await proxy.runtime.applyListeners([
      listenerPlan([chainPlan(direct("two"))], { addresses: [taken.address] }),
    ]);
    assert.equal(failures.length, 1);
    assert.match(failures[0]!.message, /^cannot listen on 127\.0\.0\.1:\d+: the address is in use$/);
    assert.match(failures[0]!.hint, /ss -ltnp/);
    const client = await connect(proxy.port());
    client.send(get);
    await client.until(/one$/);
  });

  it("stops listening when it is removed", async () => {
    const proxy = await start([listenerPlan([chainPlan(direct("one"))])], []);
    const port = proxy.port();
    await proxy.runtime.applyListeners([]);
    await assert.rejects(RawClient.connect(port), /ECONNREFUSED/);
  });

  it("hands connections to the listener of their original destination", async () => {
    const probe = await server(() => {});
    const { port } = probe.address as { port: number };
    await probe.close();
    const address = { kind: "ip", host: "0.0.0.0", port } as const;
    const proxy = await start(
      [
        listenerPlan([chainPlan(direct("catch-all"))], {
          name: "virtualOutbound",
          addresses: [address],
          useOriginalDst: true,
        }),
        listenerPlan([chainPlan(direct("service"))], {
          name: "service",
          addresses: [{ kind: "ip", host: "127.0.0.1", port }],
          bindToPort: false,
        }),
      ],
      [],
    );
    assert.equal(proxy.port("virtualOutbound"), port);
    const client = await connect(port);
    client.send(get);
    await client.until(/service$/);
  });

  it("refuses connections above the limit", async () => {
    const proxy = await startTestProxy([listenerPlan([chainPlan(direct("one"))])], [], { maxConnections: 1 });
    closers.push(() => proxy.close());
    const first = await connect(proxy.port());
    first.send(get);
    await first.until(/one$/);
    const second = await connect(proxy.port());
    assert.equal(await second.untilClosed(), "");
    assert.equal(proxy.metric("envoy_listener_downstream_global_cx_overflow"), 1);
  });

  it("drains by asking clients to leave with their next answer", async () => {
    const proxy = await start([listenerPlan([chainPlan(direct("one"))])], []);
    const client = await connect(proxy.port());
    client.send(get);
    await client.until(/one$/);
    const drained = proxy.runtime.drain(10_000);
    client.text = "";
    await new Promise((resolve) => setImmediate(resolve));
    client.send(get);
    assert.match(await client.untilClosed(), /connection: close\r\n\r\none$/);
    client.close();
    await drained;
  });
});

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
