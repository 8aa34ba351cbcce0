import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { type ProxySync, ProxySyncTable, shortTypeName, typeSync } from "./proxy-sync.ts";

const cds = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const lds = "type.googleapis.com/envoy.config.listener.v3.Listener";

const info = {
  role: "sidecar" as const,
  workloadId: "a.default",
  identity: "spiffe://cluster.local/ns/default/sa/a",
  address: "10.0.0.1",
  version: "",
};

function setUp() {
  const clock = new FakeClock();
  const converged: number[] = [];
  const table = new ProxySyncTable(clock, (elapsedMs) => converged.push(elapsedMs));
  const connect = (nodeId: string) => table.connect({ ...info, nodeId });
  return { clock, converged, table, connect };
}

function push(generation: number, clock: FakeClock, revision = generation) {
  return { generation, revision, changedAtMs: clock.monotonicMs() };
}

function answer(proxy: ProxySync, type: string, version: string): void {
  proxy.sent(type, version);
  proxy.acked(type, version);
}

test("a proxy is synced when every type it asked for is acknowledged at the wanted version", () => {
  const { clock, connect } = setUp();
  const proxy = connect("sidecar~1");
  assert.equal(proxy.state, "not sent");
  proxy.aim(push(1, clock, 7), () => "v1");
  proxy.subscribe(cds, "v1");
  proxy.subscribe(lds, "v1");
  answer(proxy, cds, "v1");
  assert.equal(proxy.state, "stale");
  assert.equal(proxy.ackedRevision, 0);
  answer(proxy, lds, "v1");
  assert.equal(proxy.state, "synced");
  assert.equal(proxy.ackedRevision, 7);
});

test("a revision that changes nothing for a proxy is acknowledged at once", () => {
  const { clock, connect } = setUp();
  const proxy = connect("sidecar~1");
  proxy.subscribe(cds, "v1");
  proxy.aim(push(1, clock), () => "v1");
  answer(proxy, cds, "v1");
  assert.equal(
    proxy.aim(push(2, clock, 9), () => "v1"),
    false,
  );
  assert.equal(proxy.ackedRevision, 9);
});

test("a refusal shows its text and stays until the proxy accepts something", () => {
  const { clock, connect } = setUp();
  const proxy = connect("sidecar~1");
  proxy.subscribe(cds, "v1");
  proxy.aim(push(1, clock), () => "v1");
  proxy.sent(cds, "v1");
  proxy.nacked(cds, "bad cluster");
  assert.equal(proxy.state, "nacked");
  assert.equal(proxy.error, "bad cluster");
  assert.deepEqual(typeSync(...proxy.types[0]!).type, "CDS");
  proxy.aim(push(2, clock), () => "v2");
  answer(proxy, cds, "v2");
  assert.equal(proxy.state, "synced");
  assert.equal(proxy.ackedRevision, 2);
});

test("convergence is the time until the last concerned proxy has acknowledged", async () => {
  const { clock, connect, converged, table } = setUp();
  const [a, b, c] = ["a", "b", "c"].map((id) => connect(id));
  const all = [a!, b!, c!];
  for (const proxy of all) {
    proxy.subscribe(cds, "v1");
    proxy.aim(push(1, clock), () => "v1");
    answer(proxy, cds, "v1");
  }
  const second = push(2, clock);
  const concerned = all.filter((proxy, i) => proxy.aim(second, () => (i < 2 ? "v2" : "v1")));
  assert.equal(concerned.length, 2);
  table.follow(second, concerned);
  await clock.advance(10);
  answer(a!, cds, "v2");
  await clock.advance(30);
  assert.deepEqual(converged, []);
  answer(b!, cds, "v2");
  assert.deepEqual(converged, [40]);
});

test("a proxy that leaves holds up no convergence, one that refuses spoils it", async () => {
  const { clock, connect, converged, table } = setUp();
  const [a, b] = ["a", "b"].map((id) => connect(id));
  for (const proxy of [a!, b!]) proxy.subscribe(cds, "v0");
  const first = push(1, clock);
  for (const proxy of [a!, b!]) proxy.aim(first, () => "v1");
  table.follow(first, [a!, b!]);
  answer(a!, cds, "v1");
  table.disconnect(b!);
  assert.deepEqual(converged, [0]);
  const second = push(2, clock);
  a!.aim(second, () => "v2");
  table.follow(second, [a!]);
  a!.nacked(cds, "no");
  assert.deepEqual(converged, [0]);
});

test("types have the short names of istioctl", () => {
  assert.deepEqual([cds, lds].map(shortTypeName), ["CDS", "LDS"]);
  assert.equal(shortTypeName("type.googleapis.com/envoy.config.route.v3.RouteConfiguration"), "RDS");
  assert.equal(shortTypeName("type.googleapis.com/acme.Thing"), "Thing");
});
