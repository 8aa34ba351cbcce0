import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterWith, endpoint, locality, noContext } from "../cluster/cluster-fixture.ts";
import { defaultRetryPlan, type RetryPlacement } from "../route/retry-plan.ts";
import { RetryTargets } from "./retry-targets.ts";

const placement = (changes: Partial<RetryPlacement>): RetryPlacement => ({
  ...defaultRetryPlan.placement,
  ...changes,
});

const metadata = (values: Readonly<Record<string, string>>) => ({ "envoy.lb": values });

test("a retry leaves out endpoints tried before, canaries and those of the metadata named", () => {
  const { cluster } = clusterWith([
    locality([
      endpoint("a"),
      endpoint("canary", { metadata: metadata({ canary: "true" }) }),
      endpoint("old", { metadata: metadata({ version: "1", zone: "x" }) }),
      endpoint("new", { metadata: metadata({ version: "2" }) }),
    ]),
  ]);
  const all = [...cluster.endpoints];
  const left = (changes: Partial<RetryPlacement>) => {
    const targets = new RetryTargets(placement(changes));
    targets.add(all[0]!);
    return all.filter((one) => !targets.avoids(one)).map((one) => all.indexOf(one));
  };
  assert.deepEqual(left({}), [0, 1, 2, 3]);
  assert.deepEqual(left({ avoidsPrevious: true }), [1, 2, 3]);
  assert.deepEqual(left({ avoidsCanaries: true }), [0, 2, 3]);
  assert.deepEqual(left({ avoidedMetadata: [["version", "1"]] }), [0, 1, 3]);
  assert.deepEqual(
    left({
      avoidedMetadata: [
        ["version", "1"],
        ["zone", "y"],
      ],
    }),
    [0, 1, 2, 3],
  );
});

test("a retry goes to a priority not tried yet, and to all again when none is left", () => {
  const { cluster } = clusterWith([
    locality([endpoint("p0")]),
    locality([endpoint("p1")], { priority: 1 }),
    locality([endpoint("p2")], { priority: 2 }),
  ]);
  const targets = new RetryTargets(placement({ priorityUpdateFrequency: 1 }));
  const priorities = Array.from({ length: 4 }, () => {
    const { excludedPriorities } = targets;
    const host = cluster.pick({ ...noContext, excludedPriorities })!;
    targets.add(host);
    return host.priority;
  });
  assert.deepEqual(priorities, [0, 1, 2, 0]);
});

test("priorities are left out only after as many attempts as configured", () => {
  const { cluster } = clusterWith([locality([endpoint("p0")])]);
  const [only] = [...cluster.endpoints];
  const targets = new RetryTargets(placement({ priorityUpdateFrequency: 2 }));
  targets.add(only!);
  assert.equal(targets.excludedPriorities, undefined);
  targets.add(only!);
  assert.deepEqual(targets.excludedPriorities, [0]);
});
