import assert from "node:assert/strict";
import { test } from "node:test";
import type { Discovery, DiscoveryOutcome } from "../layer/resource-discovery.ts";
import type { OnDemandHosts } from "../route/route-plan.ts";
import { exchange, type TestExchange } from "../telemetry/exchange-fixture.ts";
import { createOnDemandFilter } from "./on-demand.ts";

/** A request for a host that is not there; what is asked for is answered by the test. */
function waiting() {
  const asked: string[] = [];
  const left: string[] = [];
  const answers: ((outcome: DiscoveryOutcome) => void)[] = [];
  const ask = (name: string, onAnswer: (outcome: DiscoveryOutcome) => void): Discovery => {
    asked.push(name);
    answers.push(onAnswer);
    return { cancel: () => left.push(name) };
  };
  const onDemand: OnDemandHosts = { wantedFor: () => "80/reviews", discover: ask };
  const filter = createOnDemandFilter({ discover: ask }, "on_demand");
  const plan = { routes: { current: { onDemand } } } as unknown as TestExchange["plan"];
  let adopted = 0;
  const held = exchange({
    plan,
    cluster: undefined,
    adoptRoute(after) {
      assert.equal(after, "on_demand");
      adopted += 1;
      Object.assign(held, { match: { route: {} }, clusterChoice: { cluster: "reviews" } });
    },
  });
  const answer = (outcome: DiscoveryOutcome) => answers.shift()!(outcome);
  return { filter, held, asked, left, answer, adopted: () => adopted };
}

test("a request waits for its virtual host, then for its cluster, and goes on", () => {
  const { filter, held, asked, answer, adopted } = waiting();
  assert.equal(filter.onRequest!(held), "stop");
  answer("found");
  assert.deepEqual([asked, adopted(), held.recorded.resumes], [["80/reviews", "reviews"], 1, 0]);
  answer("found");
  assert.equal(held.recorded.resumes, 1);
});

test("without an answer about its virtual host it is answered 503: nobody knows where it may go", () => {
  const { filter, held, answer, adopted } = waiting();
  filter.onRequest!(held);
  answer("timeout");
  const [reply] = held.recorded.replies;
  assert.deepEqual([reply?.status, reply?.details], [503, "virtual_host_discovery_timeout"]);
  assert.deepEqual([adopted(), held.recorded.resumes], [0, 0]);
});

test("a client that leaves is waited for no more", () => {
  const { filter, held, left } = waiting();
  filter.onRequest!(held);
  filter.onComplete!(held);
  filter.onComplete!(held);
  assert.deepEqual(left, ["80/reviews"]);
});
