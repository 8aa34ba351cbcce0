import assert from "node:assert/strict";
import { test } from "node:test";
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
