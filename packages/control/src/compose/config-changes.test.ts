import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { TestCa } from "@weft/testkit/test-ca";
import { localOperator } from "../api/caller.ts";
import type { ApplyResult, RollbackRequest } from "../api/change-protocol.ts";
import { WorkloadRegistry } from "../registry/workload-registry.ts";
import { openStore } from "../store/open-store.ts";
import { workload } from "../translate/mesh-fixture.ts";
import { ConfigChanges } from "./config-changes.ts";
import { ConfigSet } from "./config-set.ts";
import { EventLog } from "./event-log.ts";
import { MeshPipeline } from "./mesh-pipeline.ts";
import { ProxySyncTable } from "./proxy-sync.ts";
import { FakeStream } from "./test-synced-stream.ts";
import { VirtualAddresses } from "./virtual-addresses.ts";

const trustDomain = parseTrustDomain("cluster.local");
const key = { kind: "VirtualService", namespace: "default", name: "api" };

function route(timeoutS: number, subset?: string): string {
  const destination = subset ? `{ host: api, subset: ${subset} }` : "{ host: api }";
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec: { hosts: [api], http: [{ timeout: ${timeoutS}s, route: [{ destination: ${destination} }] }] }
`;
}

const subsets = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec: { host: api, subsets: [{ name: v1, labels: { version: v1 } }] }
`;

/** A control plane without its wires: what is applied is "pushed" by the test. */
function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-changes-"));
  const clock = new FakeClock(1_000);
  const open = () => {
    const store = openStore({ directory, trustDomain, clock });
    const registry = new WorkloadRegistry({ clock });
    registry.register(workload({ service: "web" }, 1)).setHealth(true);
    registry.register(workload({ service: "api", version: "v1" }, 2)).setHealth(true);
    const config = new ConfigSet();
    config.load(store.resources.current());
    const addresses = new VirtualAddresses({ load: () => new Map(), add() {} });
    const pipeline = new MeshPipeline({
      config,
      registry,
      addresses,
      keys: { current: new Map() },
      settings: { trustDomain },
    });
    const sync = new ProxySyncTable(clock, () => {});
    const events = new EventLog(clock);
    const onChange = () => pipeline.rebuild();
    const changes = new ConfigChanges({
      clock,
      store: store.resources,
      audit: store.audit,
      config,
      pipeline,
      sync,
      events,
      onChange,
    });
    return { store, config, pipeline, sync, events, changes };
  };
  let plane = open();
  t.after(() => {
    plane.store.close();
    rmSync(directory, { recursive: true });
  });
  const connect = (workloadId: string) => {
    const stream = new FakeStream();
    const proxy = plane.sync.connect(
      {
        nodeId: `sidecar~${workloadId}`,
        role: "sidecar",
        workloadId,
        identity: "",
        address: "",
        version: "",
        dataPlane: "",
        isProxyless: false,
      },
      stream,
    );
    const answer = (error?: string) => {
      stream.send();
      stream.answer(error);
      const { revision } = plane.store.resources;
      plane.sync.settled(proxy, { version: `${revision}`, revision, changedAtMs: clock.monotonicMs() });
    };
    answer();
    return { answer };
  };
  const by = { caller: localOperator };
  const apply = (text: string, ifRevision?: number) =>
    plane.changes.apply({ files: [{ name: "mesh.yaml", text }] }, { ...by, ifRevision }) as ApplyResult;
  const confirmed = (text: string, timeoutMs = 1_000) =>
    plane.changes.apply(
      { files: [{ name: "mesh.yaml", text }], confirm: { timeoutMs } },
      by,
    ) as Promise<ApplyResult>;
  const rollback = (request: RollbackRequest) => plane.changes.rollback(request, by) as ApplyResult;
  const inForce = () => plane.config.entries.get("VirtualService/default/api")?.text.text;
  const ids = () => [...plane.pipeline.current.mesh.workloads.keys()];
  const restart = () => {
    plane.store.close();
    plane = open();
    return plane;
  };
  return {
    clock,
    connect,
    apply,
    confirmed,
    rollback,
    inForce,
    ids,
    restart,
    get plane() {
      return plane;
    },
  };
}

test("going back is a new revision that makes what was applied what it was", (t) => {
  const mesh = setUp(t);
  mesh.apply(subsets);
  mesh.apply(route(1, "v1"));
  mesh.apply(route(2));
  mesh.plane.changes.delete({ ...key, kind: "DestinationRule" }, { caller: localOperator });
  const planned = mesh.rollback({ revision: 2, dryRun: true });
  assert.deepEqual(
    planned.resources.map(({ kind, action }) => `${kind} ${action}`),
    ["DestinationRule created", "VirtualService changed"],
  );
  assert.equal(mesh.inForce(), route(2), "a dry run changes nothing");
  assert.equal(mesh.rollback({ revision: 2 }).revision, 5);
  assert.equal(mesh.inForce(), route(1, "v1"));
  assert.equal(mesh.rollback({ revision: 0 }).revision, 6);
  assert.equal(mesh.plane.config.entries.size, 0);
  assert.equal(mesh.rollback({ revision: 5 }).revision, 7, "also out of a rollback");
  assert.equal(mesh.inForce(), route(1, "v1"));
  mesh.restart();
  assert.equal(mesh.inForce(), route(1, "v1"), "and it lasts");
  assert.equal(mesh.rollback({ revision: 7 }).revision, 7, "nothing to do is no revision");
});

test("one resource goes back alone, and not to where it would refer to what is gone", (t) => {
  const mesh = setUp(t);
  mesh.apply(subsets);
  mesh.apply(route(1, "v1"));
  mesh.apply(route(2));
  mesh.plane.changes.delete({ ...key, kind: "DestinationRule" }, { caller: localOperator });
  assert.throws(() => mesh.rollback({ revision: 2, resource: key }), /nothing was applied: 1 error/);
  assert.equal(mesh.inForce(), route(2));
  mesh.rollback({ revision: 3, resource: { ...key, kind: "DestinationRule" } });
  mesh.rollback({ revision: 2, resource: key });
  assert.equal(mesh.inForce(), route(1, "v1"));
});

test("a change that every proxy takes stays; one that a proxy refuses is undone at once", async (t) => {
  const mesh = setUp(t);
  const [web, api] = [mesh.connect("web-1"), mesh.connect("api-2")];
  const first = mesh.confirmed(route(1));
  for (const proxy of [web, api]) proxy.answer();
  const { confirmed } = await first;
  assert.deepEqual([confirmed?.sync.isSynced, confirmed?.undone], [true, undefined]);

  const second = mesh.confirmed(route(2));
  assert.equal(mesh.inForce(), route(2));
  web.answer("no such cluster");
  const refused = await second;
  assert.deepEqual(refused.confirmed?.undone, { revision: 3 });
  assert.deepEqual(
    refused.confirmed?.sync.waiting.map(({ state, error }) => [state, error]),
    [
      ["nacked", "no such cluster"],
      ["synced", undefined],
    ],
  );
  assert.equal(mesh.inForce(), route(1));
});

test("a change that is not acknowledged in time is undone; a refusal from before does not count", async (t) => {
  const mesh = setUp(t);
  const [web, api] = [mesh.connect("web-1"), mesh.connect("api-2")];
  mesh.apply(route(1));
  web.answer("too old for this");
  api.answer();
  const late = mesh.confirmed(route(2));
  await mesh.clock.advance(999);
  assert.equal(mesh.inForce(), route(2));
  await mesh.clock.advance(1);
  assert.deepEqual((await late).confirmed?.undone, { revision: 3 });
  const taken = mesh.confirmed(route(3));
  web.answer("too old for this");
  api.answer();
  assert.equal((await taken).confirmed?.sync.isSynced, true);
});

test("what somebody else changed meanwhile is not undone", async (t) => {
  const mesh = setUp(t);
  mesh.connect("web-1");
  const waiting = mesh.confirmed(route(1));
  await assert.rejects(mesh.confirmed(route(5)), /revision 1 is still waiting to be confirmed/);
  mesh.apply(route(2));
  await mesh.clock.advance(1_000);
  const { confirmed } = await waiting;
  assert.match((confirmed!.undone as { problem: string }).problem, /revision 2 was made since/);
  assert.equal(mesh.inForce(), route(2));
});

test("a change that nobody confirmed is undone by the next control plane", async (t) => {
  const mesh = setUp(t);
  mesh.connect("web-1");
  mesh.apply(route(1));
  void mesh.confirmed(route(2));
  const { changes } = mesh.restart();
  assert.match(changes.undoUnconfirmed() ?? "", /revision 2 was not confirmed .*undone by revision 3/);
  assert.equal(mesh.inForce(), route(1));
  assert.equal(mesh.restart().changes.undoUnconfirmed(), undefined);
});

test("an apply on top of a revision refuses what was changed after it", (t) => {
  const mesh = setUp(t);
  mesh.apply(route(1));
  mesh.apply(route(2), 1);
  assert.throws(() => mesh.apply(route(3), 1), /was changed by revision 2, after revision 1/);
  assert.equal(mesh.apply(subsets, 1).revision, 3, "of other resources it says nothing");
  assert.equal(mesh.inForce(), route(2));
});

test("a diff names what is written anew and what proxies would be given, and changes nothing", (t) => {
  const mesh = setUp(t);
  mesh.apply(route(1));
  const ids = mesh.ids();
  for (const id of ids) mesh.connect(id);
  const { resources, proxies, unseen } = mesh.plane.changes.diff({
    files: [{ name: "mesh.yaml", text: route(2) }],
  });
  assert.deepEqual(
    resources.map(({ action, before, after }) => [action, before, after]),
    [["changed", route(1), route(2)]],
  );
  assert.deepEqual(unseen, { workloads: 0, changes: 0 });
  const changed = proxies.filter(({ kind }) => kind === "routes");
  assert.equal(changed.length, 1, "the same for all is said once");
  assert.deepEqual(changed[0]!.workloads, [...ids].sort());
  const [before, after] = [changed[0]!.before, changed[0]!.after].map((value) => JSON.stringify(value));
  assert.match(before!, /"timeout":"1s"/);
  assert.match(after!, /"timeout":"2s"/);
  assert.equal(mesh.inForce(), route(1));
});

test("no value of a Secret is in what a diff or the versions show", (t) => {
  const mesh = setUp(t);
  const { chainPem, keyPem } = new TestCa().leaf(undefined, undefined, { dnsNames: ["shop.example"] });
  const value = (pem: string) => Buffer.from(pem).toString("base64");
  const text = `apiVersion: v1
kind: Secret
metadata: { name: shop }
type: kubernetes.io/tls
data: { tls.crt: ${value(chainPem)}, tls.key: ${value(keyPem)} }
`;
  const shown = JSON.stringify(mesh.plane.changes.diff({ files: [{ name: "mesh.yaml", text }] }));
  mesh.apply(text);
  const versions = JSON.stringify(
    mesh.plane.changes.versions({ kind: "Secret", namespace: "default", name: "shop" }),
  );
  for (const said of [shown, versions]) {
    assert.ok(!said.includes(value(keyPem)), "the key is not told");
    assert.match(said, /shop\.example/);
  }
});
