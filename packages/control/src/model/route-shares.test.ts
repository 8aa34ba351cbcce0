import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sharesOf } from "./route-shares.ts";
import type { DestinationFilters, HttpDestination, HttpRoute, Mirror } from "./routing.ts";

const edits = { request: { set: [], add: [], remove: [] }, response: { set: [], add: [], remove: [] } };
const place = { subset: "", port: 80 };
const copyTo = (host: string, percent: number): Mirror => ({
  destination: { ...place, host, weight: 1 },
  percent,
});
const to = (host: string, weight: number, own?: DestinationFilters): HttpDestination => ({
  ...place,
  host,
  weight,
  headers: edits,
  ...(own ? { own } : {}),
});
const rewritten: DestinationFilters = { rewriteAuthority: "other", mirrors: [], authorizers: [] };

function routeTo(destinations: readonly HttpDestination[], mirrors: readonly Mirror[] = []): HttpRoute {
  return {
    name: "",
    matches: [],
    fault: undefined,
    cors: undefined,
    headers: edits,
    source: { config: "", origin: "" },
    action: {
      kind: "forward",
      destinations,
      timeoutMs: 0,
      retries: undefined,
      rewritePath: undefined,
      rewriteRegex: undefined,
      rewriteAuthority: undefined,
      mirrors,
    },
  };
}

/** Where each share leads, its copies, and the millionth it ends at. */
function drawn(route: HttpRoute): unknown[] {
  return sharesOf(route).map(({ route: { action }, upTo }) => {
    assert.equal(action.kind, "forward");
    if (action.kind !== "forward") return undefined;
    const [first, ...others] = action.destinations;
    assert.equal(others.length, 0, "one destination");
    assert.ok(
      action.mirrors.every(({ percent }) => percent === 100),
      "copied wholly or not at all",
    );
    return [first!.host, action.mirrors.map(({ destination }) => destination.host).join(), upTo];
  });
}

describe("shares of a route", () => {
  it("are one where no destination has filters of its own", () => {
    const route = routeTo([to("a", 1), to("b", 2)], [copyTo("c", 5)]);
    assert.deepEqual(sharesOf(route), [{ route, upTo: undefined }]);
  });

  const cases: [name: string, route: HttpRoute, expected: unknown[]][] = [
    [
      "end where the weights before them add up to",
      routeTo([to("a", 1), to("b", 1, rewritten), to("c", 1)]),
      [
        ["a", "", 333_333],
        ["b", "", 666_667],
        ["c", "", undefined],
      ],
    ],
    [
      "leave out what has no weight",
      routeTo([to("a", 0, rewritten), to("b", 9), to("c", 0), to("d", 1), to("e", 0)]),
      [
        ["b", "", 900_000],
        ["d", "", undefined],
      ],
    ],
    ["of one destination are all", routeTo([to("a", 7, rewritten)]), [["a", "", undefined]]],
    [
      "are at least a millionth",
      routeTo([to("a", 1, rewritten), to("b", 1_000_000), to("c", 1_000_000), to("d", 1)]),
      [
        ["a", "", 1],
        ["b", "", 500_000],
        ["c", "", 999_999],
        ["d", "", undefined],
      ],
    ],
    [
      "are parted where a part of them is copied",
      routeTo(
        [to("a", 1, { mirrors: [copyTo("m", 25), copyTo("n", 50)], authorizers: [] }), to("b", 1)],
        [copyTo("rule", 50)],
      ),
      [
        ["a", "rule,m,n", 125_000],
        ["a", "rule,n", 250_000],
        ["a", "", 500_000],
        ["b", "rule", 750_000],
        ["b", "", undefined],
      ],
    ],
    [
      "are not parted where all of them is copied",
      routeTo([to("a", 1, { mirrors: [copyTo("m", 100)], authorizers: [] }), to("b", 1)]),
      [
        ["a", "m", 500_000],
        ["b", "", undefined],
      ],
    ],
  ];
  for (const [name, route, expected] of cases) it(name, () => assert.deepEqual(drawn(route), expected));
});
