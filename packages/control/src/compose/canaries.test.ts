import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv } from "ajv";
import { localOperator } from "../api/caller.ts";
import { canaryStatus } from "../api/canary-protocol.ts";
import { closed } from "../api/test-checked-client.ts";
import { workload } from "../translate/mesh-fixture.ts";
import { Canaries } from "./canaries.ts";
import { ask, route, setUpRollouts, subsets } from "./rollouts-fixture.ts";

const isStatus = new Ajv({ strict: false }).compile(closed(canaryStatus) as object);
const key = "Canary/default/api";
const canary = (spec = "") => `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: api }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: api }
  analysis: { interval: 10s, threshold: 1, stepWeights: [50], metrics: [{ name: request-success-rate, thresholdRange: { min: 99 } }] }
${spec}`;

/** A mesh with a Canary, and a way to start v4. */
async function setUp(t: Parameters<typeof setUpRollouts>[0], spec = "") {
  const mesh = await setUpRollouts(t);
  mesh.apply(subsets.replace("subsets: [", "subsets: [{ name: v4, labels: { version: v4 } }, "));
  mesh.apply(canary(spec));
  const follow = () => {
    const { store, config, pipeline, registry, rollouts, events } = mesh.plane;
    const parts = { clock: mesh.clock, config, pipeline, registry, rollouts, events };
    const canaries = new Canaries({
      ...parts,
      store: store.canaries,
      onError: (error) => assert.fail(String(error)),
    });
    canaries.start();
    return canaries;
  };
  let canaries = follow();
  t.after(() => canaries.close());
  await mesh.clock.advance(2_000);
  return {
    mesh,
    deploy: (version: string) => {
      const lease = mesh.plane.registry.register(workload({ service: "api", version }, 7));
      lease.setHealth(true);
      return lease;
    },
    status: () => {
      const status = canaries.status(key);
      assert.ok(isStatus(status), JSON.stringify(isStatus.errors));
      return canaries.status(key)!;
    },
    restart() {
      canaries.close();
      mesh.restart();
      canaries = follow();
    },
  };
}

test("a version that is seen for the first time is rolled out; those that were there are not", async (t) => {
  const { mesh, deploy, status } = await setUp(t);
  assert.equal(status().phase, "Initialized");
  await mesh.clock.advance(10_000);
  assert.equal(mesh.text(), route, "v3 was there before");
  deploy("v4");
  await mesh.clock.advance(2_000);
  assert.match(mesh.text()!, /subset: v4 \}, weight: 50/);
  mesh.answer();
  await mesh.clock.advance(2_000);
  assert.deepEqual(
    [status().phase, status().canaryWeight, status().lastAppliedSpec],
    ["Progressing", 50, "v4"],
  );
  mesh.calls("v4", 0);
  await mesh.clock.advance(2_000);
  mesh.calls("v4", 50);
  await mesh.clock.advance(10_000);
  mesh.answer();
  await mesh.clock.advance(2_000);
  const { phase, lastPromotedSpec, conditions } = status();
  assert.deepEqual([phase, lastPromotedSpec, conditions[0]!.status], ["Succeeded", "v4", "True"]);
  assert.equal(mesh.text(), route.replace("subset: v1", "subset: v4"));
});

test("a version without a subset waits, and says for what", async (t) => {
  const { mesh, deploy, status } = await setUp(t);
  deploy("v5");
  await mesh.clock.advance(2_000);
  assert.equal(status().phase, "Waiting");
  assert.match(status().conditions[0]!.message, /v5 is new, but no subset of api is v5/);
  mesh.apply(subsets.replace("subsets: [", "subsets: [{ name: v5, labels: { version: v5 } }, "));
  await mesh.clock.advance(2_000);
  assert.match(mesh.text()!, /subset: v5 \}, weight: 50/);
});

test("what is known outlives the control plane", async (t) => {
  const { mesh, deploy, status, restart } = await setUp(t);
  deploy("v4");
  restart();
  await mesh.clock.advance(4_000);
  assert.equal(mesh.text(), route, "v4 is gone again");
  deploy("v4");
  await mesh.clock.advance(2_000);
  assert.match(mesh.text()!, /subset: v4 \}, weight: 50/, "and was never known");
  assert.equal(status().lastAppliedSpec, "v4");
});

test("suspend holds it, and a Canary that is deleted takes back what it began", async (t) => {
  const { mesh, deploy, status } = await setUp(t);
  deploy("v4");
  await mesh.clock.advance(2_000);
  mesh.answer();
  await mesh.clock.advance(1_000);
  mesh.apply(canary("  suspend: true\n"));
  await mesh.clock.advance(2_000);
  assert.equal(status().phase, "Waiting");
  mesh.apply(canary());
  await mesh.clock.advance(2_000);
  assert.equal(status().phase, "Progressing");
  const by = { caller: localOperator, ifRevision: undefined };
  mesh.plane.changes.delete({ kind: "Canary", namespace: "default", name: "api" }, by);
  await mesh.clock.advance(2_000);
  assert.equal(mesh.text(), route);
});

test("skipAnalysis gives the new version all calls at once", async (t) => {
  const { mesh, deploy } = await setUp(t, "  skipAnalysis: true\n");
  deploy("v4");
  await mesh.clock.advance(2_000);
  mesh.answer();
  await mesh.clock.advance(0);
  assert.equal(mesh.text(), route.replace("subset: v1", "subset: v4"));
  assert.equal(mesh.plane.rollouts.status(ask, 0).outcome, "promoted");
});
