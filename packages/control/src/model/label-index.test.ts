import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "@weft/testkit/properties";
import { hasLabels } from "./host.ts";
import { LabelIndex, SelectorIndex } from "./label-index.ts";

const namespace = fc.constantFrom("a", "b", "root");
const labels = fc.dictionary(fc.constantFrom("app", "version", "tier"), fc.constantFrom("1", "2"));
const labelled = fc.array(fc.record({ namespace, labels }), { maxLength: 12 });

test("what has certain labels is what a look at all finds, in the same order", () => {
  fc.assert(
    fc.property(labelled, namespace, labels, (all, namespace, wanted) => {
      const expected = all.filter((one) => one.namespace === namespace && hasLabels(one.labels, wanted));
      assert.deepEqual(new LabelIndex(all).select(namespace, wanted), expected);
    }),
  );
});

test("what chooses certain labels, in one namespace or in two, is what a look at all finds, each once and in the same order", () => {
  const selectors = fc.array(
    fc.array(fc.record({ namespace, labels: fc.option(labels, { nil: undefined }) })),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(selectors, labels, namespace, namespace, (all, of, own, further) => {
      const chooses = (one: (typeof all)[number]) =>
        one.some((selector) => [own, further].includes(selector.namespace) && hasLabels(of, selector.labels));
      const index = new SelectorIndex(all, (one) => one);
      assert.deepEqual(index.choosing(of, own, further), all.filter(chooses));
    }),
  );
});
