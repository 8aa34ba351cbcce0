import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterPlan, clusterWith, defaultLimits, endpoint, locality } from "./cluster-fixture.ts";

describe("circuit breakers", () => {
  it("refuse at the limit, count the overflow and open again after a release", () => {
    const limits = { ...defaultLimits, maxRequests: 2 };
    const { cluster } = clusterWith([locality([endpoint("a")])], {
      breakers: { default: limits, high: defaultLimits },
    });
    const { requests } = cluster.breakers("default");
    assert.deepEqual(
      [requests.tryAcquire(), requests.tryAcquire(), requests.tryAcquire()],
      [true, true, false],
    );
    assert.equal(cluster.stats.rqPendingOverflow.value, 1);
    assert.ok(cluster.breakers("high").requests.tryAcquire(), "priorities are counted apart");
    requests.release();
    assert.ok(requests.tryAcquire());
  });

  const budgets = [
    { active: 0, maxRetries: 1_000, allowed: 3, why: "the minimum concurrency" },
    { active: 10, maxRetries: 1_000, allowed: 3, why: "still the minimum" },
    { active: 100, maxRetries: 1_000, allowed: 20, why: "a fifth of what is in flight" },
    { active: 100, maxRetries: 3, allowed: 3, why: "never more than max_retries" },
  ];
  for (const { active, maxRetries, allowed, why } of budgets) {
    it(`with ${active} requests in flight and max_retries ${maxRetries}, ${allowed} retries run: ${why}`, () => {
      const limits = { ...defaultLimits, maxRetries };
      const { cluster } = clusterWith([locality([endpoint("a")])], {
        breakers: { default: limits, high: limits },
      });
      const { requests, retries } = cluster.breakers("default");
      for (let i = 0; i < active; i++) requests.tryAcquire();
      let granted = 0;
      while (retries.tryAcquire()) granted += 1;
      assert.equal(granted, allowed);
      assert.equal(cluster.stats.rqRetryOverflow.value, 1);
    });
  }

  it("keep counting what is in flight when an update changes the limits", () => {
    const { cluster } = clusterWith([locality([endpoint("a")])]);
    cluster.breakers("default").connections.tryAcquire();
    const limits = { ...defaultLimits, maxConnections: 1 };
    cluster.replacePlan(
      clusterPlan({
        discovery: { kind: "eds", serviceName: "web" },
        breakers: { default: limits, high: limits },
      }),
    );
    assert.equal(cluster.breakers("default").connections.tryAcquire(), false);
    assert.equal(cluster.stats.cxOverflow.value, 1);
  });
});
