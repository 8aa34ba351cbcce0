import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { DeltaDiscoveryResponseSchema } from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { typeUrl } from "../type-url.ts";
import { deltaClient } from "./delta-client.ts";
import { Subscription } from "./subscription.ts";

/** What a delta request says of names. */
function said(subscription: Subscription, change?: ReturnType<Subscription["set"]>): string[] {
  const { message } = change ? deltaClient.change(subscription, change) : deltaClient.first(subscription);
  const { resourceNamesSubscribe: asked, resourceNamesUnsubscribe: left } = message as unknown as Record<
    string,
    string[]
  >;
  return [...asked!, ...left!.map((name) => `-${name}`)];
}

test("names beside everything are said as they come, and all of it on a new stream", () => {
  const clusters = new Subscription(typeUrl.cluster);
  clusters.set("*");
  assert.deepEqual(said(clusters), [], "silence is everything");
  assert.deepEqual(said(clusters, clusters.set("*", ["a"])), ["a"], "a name does not take everything back");
  assert.deepEqual(said(clusters, clusters.set("*", ["a", "b"])), ["b"]);
  assert.ok(clusters.covers("anything"));
  clusters.reopen();
  assert.deepEqual(said(clusters), ["a", "b", "*"], "beside names everything has to be said");
});

test("a virtual host may come under any name of its route configuration, or be said not to exist", () => {
  const hosts = new Subscription(typeUrl.virtualHost);
  hosts.set(["80/a:80", "edge/x/b"]);
  const covered = ["80/a:80", "80/a", "80/other", "edge/x/c"];
  for (const name of covered) assert.ok(hosts.covers(name), name);
  for (const name of ["8/a", "80", "edge/b", "81/a"]) assert.ok(!hosts.covers(name), name);
  const response = create(DeltaDiscoveryResponseSchema, {
    typeUrl: typeUrl.virtualHost,
    removedResources: ["80/gone"],
    resources: [
      { name: "80/a", aliases: ["80/a:80"], version: "1", resource: { typeUrl: typeUrl.virtualHost } },
      { name: "80/no", aliases: ["80/no:80"] },
      { name: "81/no" },
    ],
  });
  const parsed = deltaClient.parse(toBinary(DeltaDiscoveryResponseSchema, response));
  assert.equal(parsed.problem, undefined);
  const { added, removed } = deltaClient.updateOf(hosts, parsed);
  assert.deepEqual(
    added.map(({ name, aliases }) => [name, aliases]),
    [["80/a", ["80/a:80"]]],
  );
  assert.deepEqual(removed, ["80/gone", "80/no", "80/no:80"]);
});
