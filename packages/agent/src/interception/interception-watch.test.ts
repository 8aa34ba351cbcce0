import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { InterceptionWatch } from "./interception-watch.ts";

test("what goes past the sidecar, and what is kept out, is said when it grows", async () => {
  const clock = new FakeClock();
  const said: string[] = [];
  let counted: readonly [number, number] | undefined = [0, 0];
  const counter = (name: string, packets: number) => ({ counter: { name, packets } });
  const watch = new InterceptionWatch({
    clock,
    talk: (line) => said.push(line.split(":")[0]!),
    async read() {
      if (!counted) throw new Error("nft is gone");
      const counters = [counter("passed_by", counted[0]), counter("kept_out", counted[1])];
      return JSON.stringify({ nftables: [{ metainfo: {} }, ...counters] });
    },
  });
  const look = async (...now: [passedBy: number, keptOut: number] | []) => {
    counted = now.length === 0 ? undefined : now;
    said.length = 0;
    await clock.advance(30_000);
    await new Promise((resolve) => setImmediate(resolve));
    return [...said];
  };
  assert.deepEqual(await look(0, 0), []);
  assert.deepEqual(await look(3, 0), ["3 flows of the application are of other protocols than TCP"]);
  assert.deepEqual(await look(3, 0), []);
  assert.deepEqual(await look(), [], "an answer that does not come says nothing");
  assert.deepEqual(await look(4, 2), [
    "1 flows of the application are of other protocols than TCP",
    "2 packets to the application of other protocols than TCP were kept out",
  ]);
  watch.close();
  assert.equal(clock.pendingTimers, 0);
});
