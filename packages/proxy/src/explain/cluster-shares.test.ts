import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterShares } from "./cluster-shares.ts";

function weighted(...weights: readonly number[]) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const choices = weights.map((_, i) => ({ cluster: `c${i}` }));
  return (random: number) => {
    let rest = random * total;
    for (const [i, weight] of weights.entries()) {
      rest -= weight;
      if (rest < 0) return choices[i]!;
    }
    return choices.at(-1)!;
  };
}

test("the shares of clusters are found by asking the choice", () => {
  const cases: readonly (readonly [weights: number[], shares: number[]])[] = [
    [[1], [1]],
    [
      [90, 10],
      [0.9, 0.1],
    ],
    [
      [1, 1, 1],
      [0.333333, 0.333333, 0.333333],
    ],
    [
      [50, 0, 50],
      [0.5, 0.5],
    ],
    [
      [1, 999_999],
      [0.000001, 0.999999],
    ],
  ];
  for (const [weights, expected] of cases) {
    const { shares } = clusterShares(weighted(...weights));
    assert.deepEqual(
      shares.map(({ share }) => share),
      expected,
      weights.join(" "),
    );
  }
  assert.equal(clusterShares(weighted(10, 80, 10)).largest.cluster, "c1");
});
