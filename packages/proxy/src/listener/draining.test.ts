import assert from "node:assert/strict";
import { afterEach, it } from "node:test";
import type { DrainStrategy } from "../layer/drain-state.ts";
import type { ListenerPlan } from "./listener-plan.ts";
import { chainPlan, httpPlan, listenerPlan, routesTo, startTestProxy } from "./test-proxy.ts";
import { RawClient } from "./test-raw-client.ts";

const get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(
  plans: readonly ListenerPlan[],
  drainTimeMs: number,
  strategy: DrainStrategy,
  random = 0.5,
) {
  const proxy = await startTestProxy(plans, [], {
    drain: { timeMs: drainTimeMs, strategy },
    random: () => random,
  });
  closers.push(() => proxy.close());
  return proxy;
}

async function connect(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  closers.push(() => client.close());
  return client;
}

async function ask(client: RawClient): Promise<string> {
  client.text = "";
  client.send(get);
  const text = await client.until(/\r\n\r\n\w+$/);
  return `${text.includes("connection: close") ? "last " : ""}${/\w+$/.exec(text)}`;
}

const direct = (body: string) =>
  httpPlan({ routes: routesTo({ kind: "direct-response", status: 200, body: Buffer.from(body) }) });

/** A chain for clients that come from this port. */
function chainFrom(port: number, body: string) {
  const { match } = chainPlan(direct(body));
  return chainPlan(direct(body), { match: { ...match, sourcePorts: [port] } });
}

for (const [strategy, random, expected] of [
  ["immediate", 0.999, "last one"],
  ["gradual", 0, "last one"],
  ["gradual", 0.999, "one"],
] as const) {
  it(`a removed listener's client is answered '${expected}' where it leaves ${strategy}, at ${random}`, async () => {
    const proxy = await start([listenerPlan([chainPlan(direct("one"))])], 60_000, strategy, random);
    const client = await connect(proxy.port());
    assert.equal(await ask(client), "one");
    await proxy.runtime.applyListeners([]);
    assert.equal(await ask(client), expected);
  });
}

it("a removed listener's connections end with the drain time, whatever they do", async () => {
  const proxy = await start([listenerPlan([chainPlan(direct("one"))])], 20, "gradual", 0.999);
  const client = await connect(proxy.port());
  assert.equal(await ask(client), "one");
  await proxy.runtime.applyListeners([]);
  client.text = "";
  assert.equal(await client.untilClosed(), "");
});

it("a changed filter chain leaves the connections of the others as they are", async () => {
  const first = listenerPlan([chainPlan(direct("old"))]);
  const proxy = await start([first], 60_000, "immediate");
  const [kept, changed, dropped] = [
    await connect(proxy.port()),
    await connect(proxy.port()),
    await connect(proxy.port()),
  ];
  const portOf = (client: RawClient) => client.socket.localPort!;
  await proxy.runtime.applyListeners([
    listenerPlan([
      chainFrom(portOf(kept), "kept"),
      chainFrom(portOf(changed), "old"),
      chainFrom(portOf(dropped), "gone"),
    ]),
  ]);
  for (const [client, text] of [
    [kept, "kept"],
    [changed, "old"],
    [dropped, "gone"],
  ] as const) {
    assert.equal(await ask(client), text);
  }
  await proxy.runtime.applyListeners([
    listenerPlan([chainFrom(portOf(kept), "kept"), chainFrom(portOf(changed), "new")]),
  ]);
  assert.equal(await ask(kept), "kept");
  assert.equal(await ask(changed), "new");
  assert.equal(await ask(dropped), "last gone");
  await dropped.untilClosed();
});

it("inbound listeners alone are taken out of service, and what is configured for them later is not served", async () => {
  const inbound = { name: "in", trafficDirection: "inbound" } as const;
  const outbound = listenerPlan([chainPlan(direct("out"))], { name: "out" });
  const proxy = await start(
    [listenerPlan([chainPlan(direct("in"))], inbound), outbound],
    60_000,
    "immediate",
  );
  const client = await connect(proxy.port("in"));
  assert.equal(await ask(client), "in");
  const request = { isInboundOnly: true, isGraceful: false, keepsListening: false };
  await proxy.runtime.drainListeners({ ...request, isGraceful: true });
  assert.equal(await ask(client), "last in");
  assert.equal(await ask(await connect(proxy.port("out"))), "out");
  const { name } = inbound;
  const port = proxy.port(name);
  await proxy.runtime.drainListeners(request);
  await assert.rejects(RawClient.connect(port), { code: "ECONNREFUSED" });
  await proxy.runtime.applyListeners([
    listenerPlan([chainPlan(direct("again"))], { ...inbound, name: "other" }),
    outbound,
  ]);
  assert.throws(() => proxy.port("other"), /no listener/);
  assert.equal(await ask(await connect(proxy.port("out"))), "out");
});

it("MODIFY_ONLY listeners keep their clients while health checks are to fail", async () => {
  const proxy = await start(
    [
      listenerPlan([chainPlan(direct("one"))]),
      listenerPlan([chainPlan(direct("two"))], { name: "modify-only", ignoresFailedHealthChecks: true }),
    ],
    60_000,
    "gradual",
  );
  proxy.runtime.failHealthChecks(true);
  assert.equal(await ask(await connect(proxy.port())), "last one");
  assert.equal(await ask(await connect(proxy.port("modify-only"))), "two");
});
