import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { xxHash64 } from "../hash/xx-hash.ts";
import type { BalancerPlan, HashingPlan } from "./balancer-plan.ts";
import { clusterWith, endpoint, locality, noContext, tally } from "./cluster-fixture.ts";

const hashing: HashingPlan = { usesHostname: false, balancePercent: 0, hashPolicy: undefined };
const balancers: readonly BalancerPlan[] = [
  {
    ...hashing,
    kind: "ring-hash",
    hashFunction: "xx-hash",
    minimumRingSize: 1024,
    maximumRingSize: 8_388_608,
  },
  { ...hashing, kind: "maglev", tableSize: 65_537 },
];
const contexts = Array.from({ length: 1_000 }, (_, i) => ({ ...noContext, hash: xxHash64(`key-${i}`) }));
const hosts = Array.from({ length: 10 }, (_, i) => endpoint(`10.0.0.${i}`));

for (const balancer of balancers) {
  describe(`hashing with ${balancer.kind}`, () => {
    const placesIn = (plans: typeof hosts) => {
      const { cluster } = clusterWith([locality(plans)], { balancer });
      return contexts.map((context) => cluster.pick(context)?.addressText);
    };

    it("keeps a key at its endpoint, whatever order the endpoints come in", () => {
      assert.deepEqual(placesIn(hosts), placesIn([...hosts].reverse()));
    });

    it("moves few keys of the endpoints that stay when one leaves", () => {
      const before = placesIn(hosts);
      const after = placesIn(hosts.slice(1));
      const moved = before.filter((place, i) => place !== "10.0.0.0:80" && place !== after[i]).length;
      // Of 900: a modulus would move nearly all.
      assert.ok(moved <= 100, `${moved} moved`);
    });

    it("spreads keys roughly by weight", () => {
      const { cluster } = clusterWith([locality([endpoint("a", { weight: 3 }), endpoint("b")])], {
        balancer,
      });
      const heavy = contexts.filter((context) => cluster.pick(context)!.addressText === "a:80").length;
      assert.ok(heavy > 650 && heavy < 850, `${heavy} of 1000`);
    });

    it("spreads requests without a key over all", () => {
      const { cluster } = clusterWith([locality(hosts)], { balancer });
      assert.equal(Object.keys(tally(cluster, 2_000)).length, 10);
    });

    it("goes elsewhere when a retry avoids the endpoint, and always to the same", () => {
      const { cluster } = clusterWith([locality(hosts)], { balancer });
      for (const context of contexts.slice(0, 50)) {
        const first = cluster.pick(context)!;
        const second = cluster.pick({ ...context, avoid: (endpoint) => endpoint === first })!;
        assert.notEqual(second, first);
        assert.equal(cluster.pick({ ...context, avoid: (endpoint) => endpoint === first }), second);
      }
    });

    it("never gives a busy endpoint more than its bound while others have room", () => {
      const bounded = { ...balancer, balancePercent: 150 } as BalancerPlan;
      const { cluster } = clusterWith([locality(hosts)], { balancer: bounded });
      for (let active = 0; active < 200; active++) {
        const host = cluster.pick(contexts[0]!)!;
        host.activeRequests += 1;
        cluster.stats.rqActive.value += 1;
        const bound = Math.ceil(((active + 1) * 1.5 + 1) / 10);
        assert.ok(host.activeRequests <= bound + 1, `${host.activeRequests} of ${active + 1}`);
      }
    });
  });
}
