import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSpiffeId, parseTrustDomain, SpiffeIdError } from "./spiffe-id.ts";
import { controlPlaneSpiffeId, parseWorkloadId, workloadSpiffeId } from "./workload-id.ts";

const trustDomain = parseTrustDomain("cluster.local");

test("a workload's ID says its namespace and service account, and can be read back", () => {
  for (const [namespace, serviceAccount] of [
    ["default", "reviews"],
    ["a", "b"],
    ["n".repeat(63), "my-sa.with.dots"],
  ] as const) {
    const id = workloadSpiffeId(trustDomain, namespace, serviceAccount);
    assert.equal(id, `spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`);
    assert.deepEqual(parseWorkloadId(id), { trustDomain, namespace, serviceAccount });
  }
  assert.equal(
    controlPlaneSpiffeId(trustDomain),
    "spiffe://cluster.local/ns/weft-system/sa/weft-control-plane",
  );
});

test("names that would change the path of an ID are refused", () => {
  for (const [namespace, serviceAccount] of [
    ["", "reviews"],
    ["default", ""],
    ["default/sa/admin", "x"],
    ["..", "x"],
    ["Default", "x"],
    ["-a", "x"],
    ["n".repeat(64), "x"],
    ["a.b", "x"],
    ["default", ".."],
    ["default", "a/b"],
    ["default", "a..b"],
    ["default", "a\n"],
  ] as const) {
    assert.throws(
      () => workloadSpiffeId(trustDomain, namespace, serviceAccount),
      SpiffeIdError,
      `${namespace} ${serviceAccount}`,
    );
  }
});

test("an ID of another shape is not a workload's", () => {
  for (const text of [
    "spiffe://cluster.local",
    "spiffe://cluster.local/ns/default",
    "spiffe://cluster.local/ns/default/sa/x/y",
    "spiffe://cluster.local/sa/default/ns/x",
    "spiffe://cluster.local/ns/DEFAULT/sa/x",
  ]) {
    assert.equal(parseWorkloadId(parseSpiffeId(text)), undefined, text);
  }
});
