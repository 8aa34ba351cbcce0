import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Endpoint } from "../model/endpoint.ts";
import { parseLocality } from "../model/locality.ts";
import {
  buildLocalityPolicy,
  buildZoneAwarePolicy,
  type LocalityPolicy,
  nearestFirst,
} from "../model/locality-policy.ts";
import { orderByPlace } from "./locality-order.ts";
import type { Place } from "./place.ts";

function endpoint(address: string, place: string, labels = {}, weight = 0): Endpoint {
  const locality = place === "" ? {} : { locality: parseLocality(place) };
  return { address, workload: "", labels, weight, ...locality, ports: [] };
}

const at = (place: string, labels = {}): Place => ({
  locality: place === "" ? undefined : parseLocality(place),
  labels,
});

/** `priority:weight:addresses` of each group, in their order. */
function ordered(endpoints: Endpoint[], policy: LocalityPolicy | undefined, place: Place): string[] {
  const asked = policy?.kind === "even" ? undefined : policy;
  return orderByPlace(endpoints, asked, place).map(
    (group) => `${group.priority}:${group.weight ?? "-"}:${group.endpoints.map((own) => own.address).join()}`,
  );
}

const everywhere = [
  endpoint("same", "w/a/1"),
  endpoint("zone", "w/a/2"),
  endpoint("region", "w/b/1"),
  endpoint("north", "n/a/1"),
  endpoint("south", "s/a/1"),
  endpoint("unplaced", ""),
];

describe("endpoints in order of their places", () => {
  const cases: [string, Endpoint[], LocalityPolicy | undefined, Place, string[]][] = [
    [
      "the subzone, the zone, the region, then the rest",
      everywhere,
      nearestFirst,
      at("w/a/1"),
      ["0:-:same", "1:-:zone", "2:-:region", "3:-:unplaced", "3:-:north", "3:-:south"],
    ],
    [
      "a caller of nowhere has what stands nowhere nearest",
      everywhere,
      nearestFirst,
      at(""),
      ["0:-:unplaced", "1:-:north", "1:-:south", "1:-:same", "1:-:zone", "1:-:region"],
    ],
    [
      "priorities have no gaps",
      [endpoint("north", "n/a/1"), endpoint("region", "w/b/1")],
      nearestFirst,
      at("w/a/1"),
      ["0:-:region", "1:-:north"],
    ],
    [
      "the region that is named comes before the others",
      everywhere.slice(2),
      buildLocalityPolicy({ failover: [{ from: "w", to: "s" }] }),
      at("w/a/1"),
      ["0:-:region", "1:-:south", "2:-:unplaced", "2:-:north"],
    ],
    [
      "of regions the caller's, with all of its zones alike",
      everywhere,
      buildZoneAwarePolicy({ failover: [{ from: "w", to: "s" }] }),
      at("w/a/1"),
      ["0:-:same", "0:-:zone", "0:-:region", "1:-:south", "2:-:unplaced", "2:-:north"],
    ],
    [
      "labels, and of those alike the caller's region",
      [
        endpoint("a", "n/a/1", { tier: "gold" }),
        endpoint("b", "w/b/1", { tier: "gold" }),
        endpoint("c", "w/a/1"),
      ],
      buildZoneAwarePolicy({ failoverPriority: ["tier"] }),
      at("w/a/1", { tier: "gold" }),
      ["0:-:b", "1:-:a", "2:-:c"],
    ],
    [
      "labels from the first on, and what differs in one differs in all behind it",
      [
        endpoint("both", "w/a/1", { tier: "gold", shard: "7" }),
        endpoint("first", "w/a/1", { tier: "gold", shard: "8" }),
        endpoint("second", "w/a/1", { tier: "iron", shard: "7" }),
      ],
      buildLocalityPolicy({ failoverPriority: ["tier", "shard"] }),
      at("", { tier: "gold", shard: "7" }),
      ["0:-:both", "1:-:first", "2:-:second"],
    ],
    [
      "a label with a value is the endpoint's alone, and a locality is labels too",
      [endpoint("a", "w/a/1", { kind: "spot" }), endpoint("b", "n/a/1"), endpoint("c", "w/b/1")],
      buildLocalityPolicy({ failoverPriority: ["topology.kubernetes.io/region=w", "kind=spot"] }),
      at("n/a/1"),
      ["0:-:a", "1:-:c", "2:-:b"],
    ],
    [
      "labels before the order of regions",
      [
        endpoint("a", "n/a/1", { tier: "gold" }),
        endpoint("b", "s/a/1", { tier: "gold" }),
        endpoint("c", "w/a/1"),
      ],
      buildLocalityPolicy({ failoverPriority: ["tier"], failover: [{ from: "w", to: "s" }] }),
      at("w/a/1", { tier: "gold" }),
      ["0:-:b", "1:-:a", "2:-:c"],
    ],
    [
      "shares, divided by weight within a place; what is in none is not called",
      [
        endpoint("light", "w/a/1"),
        endpoint("heavy", "w/a/2", {}, 3),
        endpoint("b", "w/b/1"),
        endpoint("n", "n/a/1"),
      ],
      buildLocalityPolicy({ distribute: [{ from: "w/*", to: { "w/a/*": 80, "w/b": 20 } }] }),
      at("w/c/1"),
      ["0:2000:light", "0:6000:heavy", "0:2000:b"],
    ],
    [
      "shares of another place leave endpoints as they are",
      [endpoint("a", "w/a/1"), endpoint("n", "n/a/1")],
      buildLocalityPolicy({ distribute: [{ from: "s", to: { n: 100 } }] }),
      at("w/a/1"),
      ["0:-:n", "0:-:a"],
    ],
    ["nothing asked: by name", everywhere.slice(0, 2), undefined, at("w/a/1"), ["0:-:same", "0:-:zone"]],
  ];
  for (const [name, endpoints, policy, place, want] of cases) {
    it(name, () => assert.deepEqual(ordered(endpoints, policy, place), want));
  }
});
