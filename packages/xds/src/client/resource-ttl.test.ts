import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { FakeClock } from "@weft/testkit/fake-clock";
import { ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
  ResourceSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { typeUrl } from "../type-url.ts";
import { deltaClient } from "./delta-client.ts";
import { ResourceTtl } from "./resource-ttl.ts";
import { sotwClient } from "./sotw-client.ts";
import { Subscription } from "./subscription.ts";

function ttl() {
  const clock = new FakeClock();
  const expired: string[] = [];
  const lifetimes = new ResourceTtl(clock, (type, names) => expired.push(`${type}: ${names.join(",")}`));
  return { clock, expired, lifetimes };
}

test("a resource ends with its lifetime, one without lives on", async () => {
  const { clock, expired, lifetimes } = ttl();
  lifetimes.set("t", [{ name: "short", ttlMs: 1_000 }, { name: "long", ttlMs: 3_000 }, { name: "ever" }]);
  await clock.advance(999);
  assert.deepEqual(expired, []);
  await clock.advance(1);
  assert.deepEqual(expired, ["t: short"]);
  await clock.advance(60_000);
  assert.deepEqual(expired, ["t: short", "t: long"]);
});

test("saying it again renews a lifetime, and saying it without one ends the wait", async () => {
  const { clock, expired, lifetimes } = ttl();
  lifetimes.set("t", [
    { name: "a", ttlMs: 1_000 },
    { name: "b", ttlMs: 1_000 },
  ]);
  await clock.advance(900);
  lifetimes.set("t", [{ name: "a", ttlMs: 1_000 }, { name: "b" }]);
  await clock.advance(900);
  assert.deepEqual(expired, []);
  await clock.advance(100);
  assert.deepEqual(expired, ["t: a"]);
});

const wrapped = (name: string, hasBody: boolean) =>
  create(ResourceSchema, {
    name,
    version: "7",
    ttl: { seconds: 2n, nanos: 500_000_000 },
    ...(hasBody ? { resource: anyPack(ClusterSchema, create(ClusterSchema, { name })) } : {}),
  });

const protocols = [
  [
    "delta",
    deltaClient,
    toBinary(
      DeltaDiscoveryResponseSchema,
      create(DeltaDiscoveryResponseSchema, {
        typeUrl: typeUrl.cluster,
        resources: [wrapped("new", true), wrapped("known", false)],
      }),
    ),
  ],
  [
    "state of the world",
    sotwClient,
    toBinary(
      DiscoveryResponseSchema,
      create(DiscoveryResponseSchema, {
        typeUrl: typeUrl.cluster,
        resources: [wrapped("new", true), wrapped("known", false)].map((one) => anyPack(ResourceSchema, one)),
      }),
    ),
  ],
] as const;

for (const [name, protocol, bytes] of protocols) {
  test(`a resource without a body is a heartbeat: not new, not wrong, and not gone (${name})`, () => {
    const response = protocol.parse(bytes);
    assert.equal(response.problem, undefined);
    assert.deepEqual(
      response.resources.map(({ name: of, ttlMs }) => [of, ttlMs]),
      [["new", 2_500]],
    );
    assert.deepEqual(
      response.heartbeats.map(({ name: of, version, ttlMs }) => [of, version, ttlMs]),
      [["known", "7", 2_500]],
    );
    const subscription = new Subscription(typeUrl.cluster);
    subscription.set("*");
    subscription.held.set("known", "7");
    assert.deepEqual(protocol.updateOf(subscription, response).removed, []);
  });
}
