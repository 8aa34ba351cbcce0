import assert from "node:assert/strict";
import net from "node:net";
import { afterEach, describe, it } from "node:test";
import tls from "node:tls";
import { FakeClock } from "@weft/testkit/fake-clock";
import { TestCa } from "@weft/testkit/test-ca";
import type { ListenerPlan } from "./listener-plan.ts";
import {
  chainPlan,
  clusterPlan,
  httpPlan,
  listenerPlan,
  routesTo,
  startTestProxy,
  tcpPlan,
} from "./test-proxy.ts";
import { RawClient, startServer } from "./test-raw-client.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const banner = "220 mail.example ESMTP\r\n";
const timeoutMs = 5_000;
const { match: anything } = chainPlan(tcpPlan());

/** A mail server, which speaks first, behind a listener that detects HTTP and TLS where `plan` leaves it to that. */
async function mailThrough(plan: Partial<ListenerPlan>) {
  const mail = await startServer((socket) => {
    socket.write(banner);
    socket.on("data", (bytes: Buffer) => socket.write(`250 ${bytes.toString("latin1")}`));
  });
  closers.push(() => mail.close());
  const clock = new FakeClock();
  const http = httpPlan({
    routes: routesTo({ kind: "direct-response", status: 200, body: Buffer.from("http") }),
  });
  const detected = chainPlan(http, { match: { ...anything, applicationProtocols: ["http/1.1"] } });
  const listenerFilters = {
    originalDst: false,
    tlsInspector: true,
    httpInspector: true,
    timeoutMs,
    continueOnTimeout: true,
  };
  const proxy = await startTestProxy(
    [listenerPlan([detected, chainPlan(tcpPlan())], { listenerFilters, ...plan })],
    [clusterPlan([mail.address])],
    { clock },
  );
  closers.push(() => proxy.close());
  const connect = async () => {
    const client = await RawClient.connect(proxy.port());
    closers.push(() => client.close());
    return client;
  };
  const accepted = async (count: number) => {
    while (proxy.metric("envoy_listener_downstream_cx_total") < count)
      await new Promise((r) => setImmediate(r));
  };
  return { proxy, clock, connect, accepted };
}

const request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

describe("protocol detection", () => {
  it("makes only the first client of a server-first port wait", async () => {
    const { clock, connect, accepted, proxy } = await mailThrough({});
    const first = await connect();
    await accepted(1);
    await clock.advance(timeoutMs);
    await first.until(/^220 .*\r\n$/);
    // Time stands still from here on: whoever waits for a timeout never gets a byte.
    const second = await connect();
    await second.until(/^220 .*\r\n$/);
    second.send("HELO x");
    await second.until(/250 HELO x$/);
    assert.equal(proxy.metric("envoy_listener_downstream_pre_cx_timeout"), 1);
  });

  it("forgets that a port is server-first once a client speaks HTTP or TLS there first", async () => {
    for (const opening of [request, await clientHello()]) {
      const { clock, connect, accepted } = await mailThrough({});
      await connect();
      await accepted(1);
      await clock.advance(timeoutMs);
      const taken = await connect();
      taken.send(opening);
      await taken.until((client) => client.text.includes("250"));
      const next = await connect();
      next.send(request);
      await next.until(/http$/);
      await closeAll();
    }
  });

  it("never waits where the configuration says what a port speaks", async () => {
    const mail = await startServer((socket) => socket.write(banner));
    closers.push(() => mail.close());
    const { port: declared } = mail.address as { port: number };
    await mail.close();
    const { connect } = await mailThrough({
      addresses: [{ kind: "ip", host: "127.0.0.1", port: declared }],
      chains: [
        chainPlan(tcpPlan(), { match: { ...anything, destinationPort: declared } }),
        chainPlan(httpPlan(), { match: { ...anything, applicationProtocols: ["http/1.1"] } }),
      ],
    });
    const client = await connect();
    await client.until(/^220 .*\r\n$/);
  });

  it("ends a connection nobody speaks on, unless it is to go on", async () => {
    const { clock, connect, accepted, proxy } = await mailThrough({
      listenerFilters: {
        originalDst: false,
        tlsInspector: true,
        httpInspector: true,
        timeoutMs,
        continueOnTimeout: false,
      },
    });
    for (const count of [1, 2]) {
      const client = await connect();
      await accepted(count);
      await clock.advance(timeoutMs);
      assert.equal(await client.untilClosed(), "");
      assert.equal(proxy.metric("envoy_listener_downstream_pre_cx_timeout"), count);
    }
  });
});

describe("a PROXY header", () => {
  const counter = () => ({ value: 0 });
  const counts = () => ({ found: counter(), disallowed: counter(), error: counter() });
  const proxyProtocol = {
    allowsWithout: false,
    disallowedVersions: new Set<1 | 2>(),
    keepsTlv: () => false,
    rules: [],
    stats: {
      notFoundAllowed: counter(),
      notFoundDisallowed: counter(),
      versions: { 1: counts(), 2: counts() },
    },
  } as unknown as NonNullable<ListenerPlan["listenerFilters"]["proxyProtocol"]>;

  it("is read off before anything else is detected, however it is cut", async () => {
    const { connect, proxy } = await mailThrough({
      listenerFilters: {
        originalDst: false,
        tlsInspector: true,
        httpInspector: true,
        proxyProtocol,
        timeoutMs,
        continueOnTimeout: true,
      },
    });
    const bytes = `PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n${request}`;
    for (const at of [1, 20, 31, 32, 33, 40, bytes.length]) {
      const client = await connect();
      client.send(bytes.slice(0, at));
      await new Promise((resolve) => setTimeout(resolve, 2));
      client.send(bytes.slice(at));
      await client.until(/http$/);
      client.close();
    }
    while (proxy.metric("envoy_listener_downstream_pre_cx_active") > 0)
      await new Promise((r) => setImmediate(r));
  });
});

async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** The first flight of a real TLS client. */
function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.once("data", (bytes: Buffer) => {
        socket.destroy();
        server.close();
        resolve(bytes);
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      tls.connect({ port, host: "127.0.0.1", ca: new TestCa().bundlePem }).on("error", () => {});
    });
  });
}
