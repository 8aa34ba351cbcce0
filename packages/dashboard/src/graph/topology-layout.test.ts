import assert from "node:assert/strict";
import { test } from "node:test";
import { rankNodes } from "./rank-nodes.ts";
import { layoutTopology, type Place } from "./topology-layout.ts";

const node = (id: string) => ({ id, namespace: id.split("/")[0]!, height: 44 });
const edge = (from: string, to: string) => ({ from, to });
const bookinfo = ["default/details", "default/productpage", "default/ratings", "default/reviews"].map(node);
const calls = [
  edge("default/productpage", "default/details"),
  edge("default/productpage", "default/reviews"),
  edge("default/reviews", "default/ratings"),
];

function overlaps(a: Place, b: Place): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

test("callers stand left of what they call", () => {
  const { nodes } = layoutTopology(bookinfo, calls);
  for (const { from, to } of calls) assert.ok(nodes.get(from)!.x < nodes.get(to)!.x, `${from} → ${to}`);
  assert.equal(nodes.get("default/details")!.x, nodes.get("default/reviews")!.x);
});

test("the order in which services and calls are told changes nothing", () => {
  const { nodes } = layoutTopology(bookinfo, calls);
  const again = layoutTopology(bookinfo.toReversed(), calls.toReversed());
  for (const [id, place] of nodes) assert.deepEqual(again.nodes.get(id), place);
});

test("a circle of calls has a place for everyone, and so has a service that calls itself", () => {
  const ranks = rankNodes(["a", "b", "c"], [edge("a", "b"), edge("b", "c"), edge("c", "a"), edge("b", "b")]);
  assert.deepEqual([...ranks].sort(), [
    ["a", 0],
    ["b", 1],
    ["c", 2],
  ]);
});

test("the longest way decides, wherever the shorter ones are found", () => {
  const ranks = rankNodes(
    ["a", "b", "c", "d"],
    [edge("a", "d"), edge("a", "b"), edge("b", "c"), edge("c", "d")],
  );
  assert.equal(ranks.get("d"), 3);
});

test("calls that go the same way move nothing", () => {
  const before = layoutTopology(bookinfo, calls);
  const after = layoutTopology(bookinfo, [...calls, edge("default/productpage", "default/ratings")]);
  for (const [id, { x }] of before.nodes) assert.equal(after.nodes.get(id)!.x, x);
});

test("a chain of calls without end is no picture without end", () => {
  const chain = Array.from({ length: 40 }, (_, i) => node(`default/${String(i).padStart(2, "0")}`));
  const links = chain.slice(1).map((to, i) => edge(chain[i]!.id, to.id));
  const columns = new Set([...layoutTopology(chain, links).nodes.values()].map(({ x }) => x));
  assert.ok(columns.size <= 13, `${columns.size}`);
});

test("300 services in 12 namespaces: nothing overlaps, and all are inside the box of their namespace", () => {
  const many = Array.from({ length: 300 }, (_, i) => node(`ns-${i % 12}/service-${i}`));
  const edges = Array.from({ length: 1_500 }, (_, i) =>
    edge(many[(i * 7) % 300]!.id, many[(i * 13 + Math.floor(i / 300)) % 300]!.id),
  );
  const { nodes, boxes, width, height } = layoutTopology(many, edges);
  const places = [...nodes];
  for (const [i, [id, place]] of places.entries()) {
    const box = boxes.get(id.split("/")[0]!)!;
    assert.ok(place.x >= box.x && place.x + place.width <= box.x + box.width, id);
    assert.ok(place.y >= box.y && place.y + place.height <= box.y + box.height, id);
    for (const [other, otherPlace] of places.slice(i + 1))
      assert.ok(!overlaps(place, otherPlace), `${id} ${other}`);
  }
  const all = [...boxes.values()];
  for (const [i, box] of all.entries()) {
    assert.ok(all.slice(i + 1).every((other) => !overlaps(box, other)));
    assert.ok(box.x + box.width <= width && box.y + box.height <= height);
  }
});
