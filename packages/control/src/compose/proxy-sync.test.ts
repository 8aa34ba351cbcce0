import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { type ProxySync, ProxySyncTable, type Push, shortTypeName } from "./proxy-sync.ts";
import { cds, FakeStream, typeStatus } from "./test-synced-stream.ts";

function setUp() {
  const clock = new FakeClock();
  const converged: number[] = [];
  const table = new ProxySyncTable(clock, (elapsedMs) => converged.push(elapsedMs));
  const connect = (nodeId: string) => {
    const stream = new FakeStream();
    const identity = "spiffe://cluster.local/ns/default/sa/a";
    const info = {
      nodeId,
      role: "sidecar" as const,
      workloadId: "a.default",
      identity,
      address: "",
      version: "",
      dataPlane: "",
      isProxyless: false,
    };
    return { stream, proxy: table.connect(info, stream) };
  };
  const push = (revision: number): Push => ({
    version: String(revision),
    revision,
    changedAtMs: clock.monotonicMs(),
  });
  return { clock, converged, table, connect, push };
}

/** Given to all of them at once. */
function follow(table: ProxySyncTable, push: Push, proxies: readonly ProxySync[]): void {
  const followed = table.follow(push);
  for (const proxy of proxies) followed.given(proxy);
  followed.end();
}

test("a proxy is stale while an answer is out and synced when everything is answered", () => {
  const { connect, push, table } = setUp();
  const { stream, proxy } = connect("a");
  assert.equal(proxy.state, "not sent");
  stream.send();
  assert.equal(proxy.state, "stale");
  assert.equal(proxy.types[0]!.state, "stale");
  stream.answer();
  table.settled(proxy, push(7));
  assert.equal(proxy.state, "synced");
  assert.equal(proxy.ackedRevision, 7);
});

test("a refused revision is not acknowledged, and its error is shown until a later one is accepted", () => {
  const { connect, push, table } = setUp();
  const { stream, proxy } = connect("a");
  stream.send();
  stream.answer("bad cluster");
  table.settled(proxy, push(1));
  assert.equal(proxy.state, "nacked");
  assert.equal(proxy.error, "bad cluster");
  assert.equal(proxy.ackedRevision, 0);
  stream.send();
  stream.answer();
  table.settled(proxy, push(2));
  assert.equal(proxy.state, "synced");
  assert.equal(proxy.ackedRevision, 2);
});

test("convergence is the time until the last concerned proxy has acknowledged", async () => {
  const { clock, connect, converged, push, table } = setUp();
  const all = ["a", "b"].map(connect);
  for (const { stream } of all) stream.send();
  const change = push(1);
  follow(
    table,
    change,
    all.map(({ proxy }) => proxy),
  );
  await clock.advance(10);
  all[0]!.stream.answer();
  table.settled(all[0]!.proxy, change);
  await clock.advance(30);
  assert.deepEqual(converged, []);
  all[1]!.stream.answer();
  table.settled(all[1]!.proxy, change);
  assert.deepEqual(converged, [40]);
});

test("a push has not converged before all have been given it, however fast the first ones answer", async () => {
  const { clock, connect, converged, push, table } = setUp();
  const [a, b] = ["a", "b"].map(connect);
  const change = push(1);
  const followed = table.follow(change);
  a!.stream.send();
  followed.given(a!.proxy);
  await clock.advance(10);
  a!.stream.answer();
  table.settled(a!.proxy, change);
  assert.deepEqual(converged, []);
  b!.stream.send();
  followed.given(b!.proxy);
  await clock.advance(10);
  b!.stream.answer();
  table.settled(b!.proxy, change);
  await clock.advance(10);
  followed.end();
  assert.deepEqual(
    converged,
    [20],
    "until the last answer, not until it was given to those it says nothing to",
  );
  table.follow(push(2)).end();
  assert.deepEqual(converged, [20], "it changed nothing for anybody");
});

test("the answer to an earlier push does not count for a later one", async () => {
  const { clock, connect, converged, push, table } = setUp();
  const { stream, proxy } = connect("a");
  stream.send();
  const first = push(1);
  follow(table, first, [proxy]);
  await clock.advance(5);
  const second = push(2);
  follow(table, second, [proxy]);
  table.settled(proxy, first);
  assert.deepEqual(converged, [5]);
  stream.answer();
  await clock.advance(5);
  table.settled(proxy, second);
  assert.deepEqual(converged, [5, 5]);
});

test("a client that still loads its first configuration is not in service", () => {
  const { connect, push, table } = setUp();
  const { stream, proxy } = connect("a");
  assert.equal(proxy.isInService, false);
  stream.send();
  assert.equal(proxy.isInService, false);
  stream.answer();
  table.settled(proxy, push(1));
  assert.equal(proxy.isInService, true);
  stream.types = [...stream.types, typeStatus({ typeUrl: "other" })];
  assert.equal(proxy.isInService, false, "it has just asked for another type");
});

test("a proxy that leaves holds up no convergence, one that refuses spoils it", () => {
  const { connect, converged, push, table } = setUp();
  const [a, b] = ["a", "b"].map(connect);
  for (const { stream } of [a!, b!]) stream.send();
  const first = push(1);
  follow(table, first, [a!.proxy, b!.proxy]);
  a!.stream.answer();
  table.settled(a!.proxy, first);
  table.disconnect(b!.proxy);
  assert.deepEqual(converged, [0]);
  a!.stream.send();
  const second = push(2);
  follow(table, second, [a!.proxy]);
  a!.stream.answer("no");
  table.settled(a!.proxy, second);
  assert.deepEqual(converged, [0]);
});

test("types have the short names of istioctl", () => {
  assert.equal(shortTypeName(cds), "CDS");
  assert.equal(shortTypeName("type.googleapis.com/envoy.config.route.v3.RouteConfiguration"), "RDS");
  assert.equal(shortTypeName("type.googleapis.com/acme.Thing"), "Thing");
});
