import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { openStore } from "./open-store.ts";
import type { WrittenResource } from "./resource-store.ts";

const key = (name: string) => ({ kind: "VirtualService", namespace: "default", name });

function written(name: string, text: string, line = 1): WrittenResource {
  return {
    resource: { ...key(name), apiVersion: "networking.istio.io/v1" },
    text: { text, file: "mesh.yaml", line },
  };
}

function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-resources-"));
  const clock = new FakeClock(1_000);
  const open = () => openStore({ directory, trustDomain: parseTrustDomain("cluster.local"), clock });
  let store = open();
  t.after(() => {
    store.close();
    rmSync(directory, { recursive: true });
  });
  return {
    clock,
    get resources() {
      return store.resources;
    },
    restart() {
      store.close();
      store = open();
    },
  };
}

test("what is applied together is one revision, and each resource counts its own versions", async (t) => {
  const mesh = setUp(t);
  assert.equal(mesh.resources.revision, 0);
  assert.equal(mesh.resources.put([written("a", "1"), written("b", "1")]), 1);
  await mesh.clock.advance(500);
  assert.equal(mesh.resources.put([written("a", "2"), written("b", "1")], { author: "ada" }), 2);
  assert.equal(mesh.resources.versionOf(key("a"))?.version, 2);
  assert.equal(mesh.resources.versionOf(key("b"))?.version, 1);
  assert.deepEqual(mesh.resources.history(10), [
    { revision: 2, atMs: 1_500, author: "ada", changes: [{ ...key("a"), action: "changed" }] },
    {
      revision: 1,
      atMs: 1_000,
      author: "local",
      changes: [
        { ...key("a"), action: "created" },
        { ...key("b"), action: "created" },
      ],
    },
  ]);
  assert.equal(mesh.resources.history(1).length, 1);
});

test("writing what is there already makes no revision, a moved text does", (t) => {
  const { resources } = setUp(t);
  resources.put([written("a", "1")]);
  assert.equal(resources.put([written("a", "1")]), 1);
  assert.equal(resources.put([written("a", "1", 9)]), 2);
  assert.equal(resources.versionOf(key("a"))?.text.line, 9);
});

test("a deleted resource is gone from what is in force and stays in the history with its last text", (t) => {
  const { resources } = setUp(t);
  resources.put([written("a", "1")], { author: "ada" });
  assert.equal(resources.remove(key("a"), { author: "bob" }), 2);
  assert.equal(resources.remove(key("a")), 2, "deleting it again changes nothing");
  assert.equal(resources.remove(key("never")), 2);
  assert.deepEqual(resources.current(), []);
  assert.equal(resources.versionOf(key("a")), undefined);
  assert.equal(resources.put([written("a", "1")]), 3);
  assert.deepEqual(
    resources
      .versions(key("a"))
      .map(({ version, action, author, text }) => [version, action, author, text.text]),
    [
      [3, "created", "local", "1"],
      [2, "deleted", "bob", "1"],
      [1, "created", "ada", "1"],
    ],
  );
});

test("after a restart the same resources are in force under the same revision", (t) => {
  const mesh = setUp(t);
  mesh.resources.put([written("b", "b", 7), written("a", "a", 1), written("c", "c", 3)]);
  mesh.resources.remove(key("c"));
  const before = mesh.resources.current();
  mesh.restart();
  assert.equal(mesh.resources.revision, 2);
  assert.deepEqual(mesh.resources.current(), before);
  assert.deepEqual(
    before.map(({ resource }) => resource.name),
    ["a", "b"],
  );
});

test("when one resource of an apply cannot be stored, none is", (t) => {
  const { resources } = setUp(t);
  const broken = { ...written("b", "b"), text: { text: null as unknown as string, file: "f", line: 1 } };
  assert.throws(() => resources.put([written("a", "a"), broken]));
  assert.equal(resources.revision, 0);
  assert.deepEqual(resources.current(), []);
  assert.equal(resources.put([written("a", "a")]), 1);
});

test("a resource is as old as its first version since it was last deleted, after a restart too", async (t) => {
  const mesh = setUp(t);
  const createdAt = () => mesh.resources.current().map(({ createdAtMs }) => createdAtMs);
  mesh.resources.put([written("a", "1")]);
  await mesh.clock.advance(500);
  mesh.resources.put([written("a", "2")]);
  assert.deepEqual(createdAt(), [1_000]);
  await mesh.clock.advance(500);
  mesh.resources.remove(key("a"));
  await mesh.clock.advance(500);
  mesh.resources.put([written("a", "3")]);
  mesh.restart();
  assert.deepEqual(createdAt(), [2_500]);
});
