import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObservedRequest, WatchPlan } from "@weft/xds/observed-request";
import { isWatched } from "./is-watched.ts";
import { observedRequest } from "./observed-request-fixture.ts";

const caller = "spiffe://cluster.local/ns/default/sa/caller";
const inbound = observedRequest({
  direction: "inbound",
  source: { workload: "caller.default", version: "", identity: caller },
  downstreamRemote: "10.0.0.7:4000",
});
const outbound = observedRequest({
  direction: "outbound",
  destination: { workload: "reviews-v2.default", version: "v2", identity: "" },
  upstreamHost: "10.0.0.9:9080",
  cluster: "outbound|9080|v2|reviews.default.svc.cluster.local",
});

const cases: readonly (readonly [
  name: string,
  plan: WatchPlan,
  request: ObservedRequest,
  is: boolean | undefined,
])[] = [
  ["anybody's", { inbound: {} }, inbound, true],
  ["the other direction", { outbound: {} }, inbound, false],
  ["another method", { inbound: {}, method: "POST" }, inbound, false],
  ["the path's beginning", { inbound: {}, pathPrefix: "/reviews" }, inbound, true],
  ["another path", { inbound: {}, pathPrefix: "/x" }, inbound, false],
  ["a status within", { inbound: {}, statusMin: 200, statusMax: 299 }, inbound, true],
  ["a status outside", { inbound: {}, statusMin: 500, statusMax: 599 }, inbound, false],
  ["the caller by what it proves", { inbound: { identities: [caller] } }, inbound, true],
  [
    "another workload of that identity",
    { inbound: { identities: [caller], workloads: ["x.default"] } },
    inbound,
    false,
  ],
  [
    "an address, where the certificate says another",
    { inbound: { addresses: ["10.0.0.7"] } },
    inbound,
    false,
  ],
  [
    "an address without a certificate",
    { inbound: { identities: [caller], addresses: ["10.0.0.7"] } },
    { ...inbound, source: { workload: "", version: "", identity: "" } },
    true,
  ],
  ["the endpoint's workload", { outbound: { workloads: ["reviews-v2.default"] } }, outbound, true],
  [
    "another workload of the same host",
    { outbound: { workloads: ["reviews-v1.default"], hosts: ["reviews.default.svc.cluster.local"] } },
    outbound,
    false,
  ],
  ["the host", { outbound: { hosts: ["reviews.default.svc.cluster.local"] } }, outbound, true],
  ["another host", { outbound: { hosts: ["httpbin.org"] } }, outbound, false],
];

for (const [name, plan, request, is] of cases) {
  test(`${name}: ${is}`, () => assert.equal(isWatched(plan, request, "end"), is));
}

test("what only the answer tells is left open until it begins", () => {
  assert.equal(isWatched({ inbound: {}, statusMin: 500 }, inbound, "req"), undefined);
  const waiting = { ...outbound, upstreamHost: "" };
  assert.equal(isWatched({ outbound: { workloads: ["reviews-v2.default"] } }, waiting, "req"), undefined);
});
