import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshNames } from "./mesh-names.ts";

const names = new MeshNames(
  [
    {
      host: "reviews.default.svc.cluster.local",
      addresses: ["240.240.0.1"],
      shortName: "reviews",
      namespace: "default",
    },
    {
      host: "reviews.other.svc.cluster.local",
      addresses: ["240.240.0.2"],
      shortName: "reviews",
      namespace: "other",
    },
    { host: "api.example.com", addresses: ["240.240.0.3"], shortName: "", namespace: "" },
    { host: "*.wild.example.com", addresses: ["240.240.0.4"], shortName: "", namespace: "" },
    {
      host: "headless.default.svc.cluster.local",
      addresses: [],
      shortName: "headless",
      namespace: "default",
    },
    {
      host: "one.headless.default.svc.cluster.local",
      addresses: ["10.0.0.1"],
      shortName: "one.headless",
      namespace: "default",
    },
  ],
  "default",
  ["corp.example.", "default.svc.cluster.local"],
);

const cases: readonly [name: string, expected: readonly string[] | undefined, why: string][] = [
  ["reviews", ["240.240.0.1"], "a short name is of the caller's namespace"],
  ["reviews.default", ["240.240.0.1"], "with its namespace"],
  ["reviews.default.svc", ["240.240.0.1"], "with svc"],
  ["reviews.default.svc.cluster.local", ["240.240.0.1"], "the full name"],
  ["reviews.other", ["240.240.0.2"], "of another namespace, by name and namespace"],
  ["reviews.corp.example", ["240.240.0.1"], "a stub resolver appends its search domain first"],
  ["reviews.other.corp.example", ["240.240.0.2"], "a dotted name with a search domain"],
  ["reviews.default.svc.cluster.local.corp.example", ["240.240.0.1"], "the full name with a search domain"],
  ["headless", [], "a mesh name without addresses is still a mesh name"],
  ["one.headless", ["10.0.0.1"], "an instance below its service, from its own namespace"],
  ["one.headless.default", ["10.0.0.1"], "an instance below its service and namespace"],
  ["one.headless.default.svc", ["10.0.0.1"], "the same with svc"],
  ["one.headless.default.svc.cluster.local", ["10.0.0.1"], "the full name of an instance"],
  ["one.headless.corp.example", ["10.0.0.1"], "an instance with a search domain"],
  ["two.headless", undefined, "an instance that is not there"],
  ["api.example.com", ["240.240.0.3"], "an external host in the mesh"],
  ["a.b.wild.example.com", ["240.240.0.4"], "a wildcard covers any depth"],
  ["wild.example.com", undefined, "a wildcard does not cover its own parent"],
  ["example.com", undefined, "anything else is not the mesh's"],
  ["reviews.svc", undefined, "an incomplete form is not the mesh's"],
  ["", undefined, "the root is not the mesh's"],
];

for (const [name, expected, why] of cases) {
  test(`${name || "the empty name"} resolves to ${expected?.join() ?? "nothing"}: ${why}`, () => {
    assert.deepEqual(names.resolve(name), expected);
  });
}

test("a host of the mesh wins over another service's short form of the same spelling", () => {
  const clash = new MeshNames(
    [
      { host: "db.default", addresses: ["240.240.1.1"], shortName: "", namespace: "" },
      {
        host: "db.default.svc.cluster.local",
        addresses: ["240.240.1.2"],
        shortName: "db",
        namespace: "default",
      },
    ],
    "default",
    [],
  );
  assert.deepEqual(clash.resolve("db.default"), ["240.240.1.1"]);
});
