import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDocument } from "./document.ts";
import { mergeDocuments } from "./merge-documents.ts";

const base = parseDocument(
  "base.yaml",
  `node: { id: a, cluster: c }
static_resources:
  clusters:
  - { name: one }
typed: { "@type": x, kept: 1 }
`,
);
const over = parseDocument(
  "over.yaml",
  `node: { id: b }
staticResources:
  clusters:
  - name: two
    type: STATIC
typed: { "@type": y }
admin: { }
`,
);
const merged = mergeDocuments(base, over);

test("objects merge by field whatever the spelling, lists follow each other, typed messages are replaced", () => {
  assert.deepEqual(merged.value, {
    node: { id: "b", cluster: "c" },
    static_resources: { clusters: [{ name: "one" }, { name: "two", type: "STATIC" }] },
    typed: { "@type": "y" },
    admin: {},
  });
  assert.deepEqual(JSON.parse(merged.text), merged.value);
});

for (const [path, place] of [
  ["static_resources.clusters[0].name", "base.yaml:4:7"],
  ["static_resources.clusters[1].type", "over.yaml:5:5"],
  ["admin.address", "over.yaml:7:1"],
  ["node.cluster", "base.yaml:1:16"],
] as const) {
  test(`${path} is found at ${place}`, () => assert.equal(merged.locate(path), place));
}
