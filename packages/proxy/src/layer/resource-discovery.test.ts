import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { OnDemandResources } from "./resource-discovery.ts";

function open() {
  const clock = new FakeClock();
  const inForce = new Set<string>();
  const asked: string[] = [];
  const clusters = new OnDemandResources({
    clock,
    isInForce: (name) => inForce.has(name),
    onWanted: (source, name) => asked.push(`${source} ${name}`),
  });
  const said: string[] = [];
  const discover = (name: string, timeoutMs = 1_000) =>
    clusters.discover("ads", name, timeoutMs, (outcome) => said.push(`${name} ${outcome}`));
  return { clock, inForce, asked, clusters, said, discover };
}

test("who waits is told once, whatever comes first, and each cluster is asked for once", async () => {
  const { clock, inForce, asked, clusters, said, discover } = open();
  discover("a");
  discover("a");
  discover("b");
  discover("c", 500);
  assert.deepEqual(asked, ["ads a", "ads b", "ads c"]);
  inForce.add("a");
  clusters.check();
  clusters.missing(["b", "unasked"]);
  await clock.advance(500);
  assert.deepEqual(said, ["a found", "a found", "b missing", "c timeout"]);
  discover("a");
  assert.equal(said.at(-1), "a found", "at once when it is there");
  discover("d").cancel();
  clusters.missing(["d"]);
  await clock.advance(5_000);
  assert.equal(said.length, 5, "nobody who has left");
  assert.deepEqual(asked.length, 4);
  assert.equal(clock.pendingTimers, 0);
});

test("what the source said it does not have is missing at once, until it comes", async () => {
  const { clock, inForce, asked, clusters, said, discover } = open();
  discover("a");
  clusters.missing(["a"]);
  discover("a");
  assert.deepEqual(said, ["a missing", "a missing"]);
  assert.deepEqual(asked, ["ads a"], "it is subscribed to");
  inForce.add("a");
  clusters.check();
  discover("a");
  inForce.delete("a");
  discover("a");
  await clock.advance(1_000);
  assert.deepEqual(said.slice(2), ["a found", "a timeout"], "and waited for while it warms anew");
});

test("where there are too many, the one longest known not to be there is let go", () => {
  const { asked, clusters, said, discover } = open();
  for (let i = 0; i < 10_000; i++) discover(`c${i}`).cancel();
  clusters.missing(["c7", "c3"]);
  const before = clusters.revision;
  discover("new").cancel();
  assert.deepEqual([asked.length, said], [10_001, []]);
  const wanted = clusters.wanted.get("ads")!;
  assert.deepEqual(
    [wanted.size, wanted.has("c7"), wanted.has("c3"), wanted.has("new")],
    [10_000, false, true, true],
  );
  assert.notEqual(clusters.revision, before, "as many as before, but others");
});

test("no more wait than may", () => {
  const { said, discover } = open();
  const all = Array.from({ length: 10_000 }, () => discover("a"));
  discover("a");
  assert.deepEqual(said, ["a timeout"]);
  all[0]!.cancel();
  all[0]!.cancel();
  discover("a");
  discover("a");
  assert.deepEqual(said, ["a timeout", "a timeout"]);
});

test("no more clusters are asked for than there may be", () => {
  const { asked, said, discover } = open();
  for (let i = 0; i < 10_001; i++) discover(`c${i}`).cancel();
  assert.equal(asked.length, 10_000);
  assert.deepEqual(said, ["c10000 missing"]);
});
