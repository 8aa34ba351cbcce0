import assert from "node:assert/strict";
import { test } from "node:test";
import { edgePath } from "./edge-path.ts";
import { labelSize, placeLabels } from "./place-labels.ts";

const place = (x: number, y: number) => ({ x, y, width: 100, height: 40 });
const [web, one, two, three] = [place(0, 100), place(400, 0), place(400, 100), place(400, 200)];

test("labels of curves from one service do not lie on one another", () => {
  const paths = new Map([one, two, three].map((to, i) => [String(i), edgePath(web!, to!)]));
  const places = [...placeLabels(paths, [web!, one!, two!, three!]).values()];
  for (const [i, [x, y]] of places.entries()) {
    for (const [otherX, otherY] of places.slice(i + 1)) {
      const isApart = Math.abs(x - otherX) >= labelSize.width || Math.abs(y - otherY) >= labelSize.height;
      assert.ok(isApart, `${x},${y} and ${otherX},${otherY}`);
    }
  }
});

test("where there is no room the label stands in the middle", () => {
  const paths = new Map([["a", edgePath(web!, two!)]]);
  const [middle] = placeLabels(paths, [{ x: -1_000, y: -1_000, width: 3_000, height: 3_000 }]).values();
  assert.deepEqual(middle, [250, 120]);
});
