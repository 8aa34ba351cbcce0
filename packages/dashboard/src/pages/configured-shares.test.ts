import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteDetail, ServiceDetail } from "@weft/control/dashboard/view";
import { configuredShares } from "./configured-shares.ts";

const to = (subset: string, share: number) => ({ host: "reviews", subset, share });
const route = (...destinations: RouteDetail["destinations"]): RouteDetail => ({
  protocol: "http",
  name: "",
  match: "every request",
  action: "",
  destinations,
  config: "",
  origin: "",
});
const detail = (...routes: RouteDetail[]): ServiceDetail => ({
  hostname: "reviews",
  ports: [],
  subsets: ["v1", "v2"].map((version) => ({ name: `subset-${version}`, version, origin: "" })),
  routes,
  policies: [],
  mtlsModes: [],
  failures: [],
  recentFailures: [],
});

const cases: readonly (readonly [what: string, detail: ServiceDetail | undefined, expected: object])[] = [
  ["nothing known yet", undefined, {}],
  ["no routes", detail(), {}],
  ["a split", detail(route(to("subset-v1", 0.8), to("subset-v2", 0.2))), { v1: 0.8, v2: 0.2 }],
  [
    "the last route is for all the rest",
    detail(route(to("subset-v2", 1)), route(to("subset-v1", 1))),
    { v1: 1 },
  ],
  ["a destination without subset is no version", detail(route(to("", 1))), {}],
];
for (const [what, given, expected] of cases) {
  test(`configured shares: ${what}`, () =>
    assert.deepEqual(Object.fromEntries(configuredShares(given)), expected));
}
