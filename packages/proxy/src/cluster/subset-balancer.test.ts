import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterWith, endpoint, locality, noContext, tally } from "./cluster-fixture.ts";
import type { SubsetPlan } from "./cluster-plan.ts";

const member = (
  name: string,
  labels: Readonly<Record<string, string>>,
  health: "healthy" | "unhealthy" = "healthy",
) => endpoint(name, { metadata: { "envoy.lb": labels }, health });

const plans = [
  member("v1", { version: "v1", stage: "prod" }),
  member("v2", { version: "v2", stage: "prod" }),
];
const base: SubsetPlan = {
  selectors: [{ keys: ["version"] }],
  fallback: "no-endpoint",
  defaultSubset: [["version", "v2"]],
};
type Pairs = readonly (readonly [string, string])[];

describe("subsets", () => {
  const cases: readonly {
    readonly name: string;
    readonly plan: Partial<SubsetPlan>;
    readonly subset?: Pairs;
    readonly expected: Readonly<Record<string, number>>;
  }[] = [
    { name: "the subset the criteria name", plan: {}, subset: [["version", "v1"]], expected: { v1: 100 } },
    { name: "nothing without a match", plan: {}, subset: [["version", "v9"]], expected: { none: 100 } },
    { name: "nothing without criteria", plan: {}, expected: { none: 100 } },
    {
      name: "any with that fallback",
      plan: { fallback: "any-endpoint" },
      subset: [["version", "v9"]],
      expected: { v1: 50, v2: 50 },
    },
    { name: "the default subset", plan: { fallback: "default-subset" }, expected: { v2: 100 } },
    {
      name: "nothing when the default subset is empty",
      plan: { fallback: "default-subset", defaultSubset: [["version", "v9"]] },
      expected: { none: 100 },
    },
    {
      name: "any when the default subset is empty and panic_mode_any is set",
      plan: { fallback: "default-subset", defaultSubset: [["version", "v9"]], panicsToAny: true },
      expected: { v1: 50, v2: 50 },
    },
    {
      name: "the selector's fallback before the cluster's",
      plan: { fallback: "any-endpoint", selectors: [{ keys: ["version"], fallback: "default-subset" }] },
      subset: [["version", "v9"]],
      expected: { v2: 100 },
    },
    {
      name: "nothing where the selector says so",
      plan: { fallback: "any-endpoint", selectors: [{ keys: ["version"], fallback: "no-endpoint" }] },
      subset: [["version", "v9"]],
      expected: { none: 100 },
    },
    {
      name: "the subset of fewer keys with KEYS_SUBSET",
      plan: { selectors: [{ keys: ["stage", "version"], fallback: ["version"] }, { keys: ["version"] }] },
      subset: [
        ["stage", "test"],
        ["version", "v2"],
      ],
      expected: { v2: 100 },
    },
    {
      name: "the selector's fallback of fewer keys, in turn",
      plan: {
        selectors: [
          { keys: ["stage", "version"], fallback: ["version"] },
          { keys: ["version"], fallback: "any-endpoint" },
        ],
      },
      subset: [
        ["stage", "test"],
        ["version", "v9"],
      ],
      expected: { v1: 50, v2: 50 },
    },
    {
      name: "nothing when criteria have keys of no selector",
      plan: {},
      subset: [
        ["other", "x"],
        ["version", "v1"],
      ],
      expected: { none: 100 },
    },
    {
      name: "the subset despite other keys with allow_redundant_keys",
      plan: { allowsRedundantKeys: true },
      subset: [
        ["other", "x"],
        ["version", "v1"],
      ],
      expected: { v1: 100 },
    },
  ];
  for (const { name, plan, subset, expected } of cases) {
    it(`take ${name}`, () => {
      const { cluster } = clusterWith([locality(plans)], { subsets: { ...base, ...plan } });
      assert.deepEqual(tally(cluster, 100, { ...noContext, subset }), expected);
    });
  }

  it("with single_host_per_subset are one endpoint each, whatever its health; others with its value are counted", () => {
    const { cluster, stats } = clusterWith(
      [locality([member("a", { id: "1" }, "unhealthy"), member("b", { id: "2" }), member("c", { id: "2" })])],
      { subsets: { ...base, selectors: [{ keys: ["id"], hasSingleHost: true }] }, panicThresholdPercent: 0 },
    );
    const at = (id: string) => cluster.pick({ ...noContext, subset: [["id", id]] })?.addressText;
    assert.deepEqual([at("1"), at("2"), at("3")], ["a:80", "b:80", undefined]);
    const duplicates = "cluster.{envoy_cluster_name}.lb_subsets_single_host_per_subset_duplicate";
    assert.equal(stats.gauge(duplicates, "web").value, 1);
  });

  it("with list_as_any have an endpoint once for each value of a list", () => {
    const lists = { ...endpoint("both"), lbLists: new Map([["version", ["v1", "v2"]]]) };
    for (const readsLists of [true, false]) {
      const { cluster } = clusterWith([locality([lists, ...plans])], { subsets: { ...base, readsLists } });
      const counts = tally(cluster, 100, { ...noContext, subset: [["version", "v2"]] });
      assert.deepEqual(counts, readsLists ? { both: 50, v2: 50 } : { v2: 100 });
    }
  });

  it("count locality weights only when told to, scaled by the subset's part where told so", () => {
    const near = locality(
      [member("near", { version: "v1" }), ...["x", "y", "z"].map((name) => member(name, { version: "v2" }))],
      { weight: 8, zone: "a" },
    );
    const far = locality([member("far", { version: "v1" })], { weight: 2, zone: "b" });
    const share = (options: Partial<SubsetPlan>) => {
      const { cluster } = clusterWith([near, far], {
        subsets: { ...base, ...options },
        isLocalityWeighted: true,
      });
      return tally(cluster, 100, { ...noContext, subset: [["version", "v1"]] }).near;
    };
    assert.equal(share({}), 50);
    assert.equal(share({ isLocalityAware: true }), 80);
    assert.equal(share({ isLocalityAware: true, scalesLocalityWeights: true }), 50);
  });
});
