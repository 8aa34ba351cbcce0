import assert from "node:assert/strict";
import { describe, it } from "node:test";
import tls from "node:tls";
import type { DownstreamTlsPlan } from "../net/tls-plan.ts";
import {
  chainPlan,
  clusterPlan,
  forwardTo,
  httpPlan,
  listenerPlan,
  routesTo,
  startTestProxy,
} from "./test-proxy.ts";
import { RawClient } from "./test-raw-client.ts";
import { closers, connect, server, start } from "./test-scene.ts";

const direct = (body: string) =>
  httpPlan({ routes: routesTo({ kind: "direct-response", status: 200, body: Buffer.from(body) }) });
const get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

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
    const tlsPlan: DownstreamTlsPlan = {
      context: { current: tls.createSecureContext(), generation: 1 },
      requireClientCertificate: true,
      alpnProtocols: [],
      matchesSan: undefined,
    };
    await proxy.runtime.applyListeners([listenerPlan([chainPlan(direct("tls"), { tls: tlsPlan })])]);
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
