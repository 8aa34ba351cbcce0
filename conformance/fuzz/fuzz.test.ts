import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fuzz } from "./fuzz.ts";
import { fuzzTargets } from "./targets.ts";

describe("readers of bytes from the network", () => {
  for (const target of fuzzTargets) {
    it(`${target.name} holds for its seeds and for inputs near them`, () => {
      assert.ok(fuzz(target, 0.5, 42) >= target.seeds.length);
    });
  }
});
