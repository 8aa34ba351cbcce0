import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv } from "ajv";
import { localOperator } from "../api/caller.ts";
import { rolloutStatus } from "../api/rollout-protocol.ts";
import { closed } from "../api/test-checked-client.ts";
import { ask, route, setUpRollouts, subsets } from "./rollouts-fixture.ts";

const isStatus = new Ajv({ strict: false }).compile(closed(rolloutStatus) as object);

type Mesh = Awaited<ReturnType<typeof setUpRollouts>>;

const shared = (weight: number) =>
  `{ destination: { host: api, subset: v1 }, weight: ${100 - weight} }, { destination: { host: api, subset: v3 }, weight: ${weight} }`;

/** The proxies take the step, and the version is called for as long as it is measured. */
async function passStep(mesh: Mesh, ok: number, failed = 0, slow = 0): Promise<void> {
  mesh.answer();
  await mesh.clock.advance(2_000);
  assert.ok(isStatus(mesh.status()), JSON.stringify(isStatus.errors));
  mesh.calls("v3", ok, failed, slow);
  mesh.calls("v1", 100);
  await mesh.clock.advance(12_000);
}

test("a healthy version is given more calls step by step, and all of them at the end", async (t) => {
  const mesh = await setUpRollouts(t);
  const begun = mesh.start(ask);
  assert.equal(begun.phase, "Initializing");
  for (const weight of ask.steps) {
    assert.ok(mesh.text()!.includes(shared(weight)), mesh.text());
    await mesh.clock.advance(3_000);
    assert.notEqual(mesh.status().elapsedMs, 0, "nothing is measured before the proxies have it");
    assert.equal(mesh.status().canary, undefined);
    await passStep(mesh, 100, 1);
  }
  assert.equal(mesh.text(), route.replace("subset: v1", "subset: v3"));
  mesh.answer();
  await mesh.clock.advance(0);
  const status = mesh.status();
  assert.deepEqual([status.phase, status.outcome, status.weight], ["Succeeded", "promoted", 100]);
  assert.ok(isStatus(status), JSON.stringify(isStatus.errors));
  const passed = status.events.filter(({ kind }) => kind === "passed");
  assert.deepEqual(
    passed.map(({ weight, canary, stable }) => [
      weight,
      canary?.requests,
      canary?.failures,
      stable?.requests,
    ]),
    [
      [10, 101, 1, 100],
      [50, 101, 1, 100],
      [100, 101, 1, 100],
    ],
  );
  const [newest] = mesh.plane.store.resources.history(1);
  assert.equal(newest?.author, "rollout default/api", "history says who it was");
  assert.deepEqual(mesh.errors, []);
});

const bad: readonly (readonly [name: string, calls: [number, number, number], why: RegExp])[] = [
  ["that answers errors", [20, 20, 0], /50\.00 % of 40 calls succeeded, less than 99 %/],
  ["that is slow", [20, 0, 20], /20 of 40 calls took more than 300 ms/],
];
for (const [name, [ok, failed, slow], why] of bad) {
  test(`a version ${name} is taken back before its first interval is over, and the route is as it was`, async (t) => {
    const mesh = await setUpRollouts(t);
    mesh.start(ask);
    mesh.answer();
    await mesh.clock.advance(2_000);
    mesh.calls("v3", ok, failed, slow);
    await mesh.clock.advance(2_000);
    assert.equal(mesh.text(), route);
    assert.equal(mesh.status().phase, "Finalising");
    mesh.answer();
    await mesh.clock.advance(0);
    const { phase, outcome, reason, weight } = mesh.status();
    assert.deepEqual([phase, outcome, weight], ["Failed", "rolled back", 0]);
    assert.match(reason!, why);
  });
}

test("no calls are no success: it waits for them, and gives up when none come", async (t) => {
  const mesh = await setUpRollouts(t);
  mesh.start(ask);
  mesh.answer();
  await mesh.clock.advance(15_000);
  assert.match(mesh.status().events.at(-1)!.message, /0 of at least 10 calls: waits for more/);
  mesh.calls("v3", 9);
  await mesh.clock.advance(2_000);
  assert.equal(mesh.status().stage, 0);
  mesh.calls("v3", 1);
  await mesh.clock.advance(2_000);
  assert.equal(mesh.status().stage, 1, "as soon as they have come");
  mesh.answer();
  await mesh.clock.advance(45_000);
  mesh.answer();
  await mesh.clock.advance(0);
  assert.match(mesh.status().reason!, /0 of at least 10 calls/);
  assert.equal(mesh.text(), route);
});

test("a step may be found wanting as often as the threshold says", async (t) => {
  const mesh = await setUpRollouts(t);
  mesh.start({ ...ask, threshold: 2 });
  await passStep(mesh, 20, 20);
  assert.equal(mesh.status().failedChecks, 1);
  assert.equal(mesh.status().stage, 0);
  await passStep(mesh, 20, 20);
  assert.equal(mesh.text(), route);
});

test("a proxy that refuses a step, or does not answer, takes it back", async (t) => {
  const mesh = await setUpRollouts(t);
  mesh.start(ask);
  mesh.answer("no such cluster");
  await mesh.clock.advance(0);
  assert.equal(mesh.text(), route);
  mesh.answer();
  await mesh.clock.advance(0);
  assert.match(mesh.status().reason!, /sidecar~web refused revision 3: no such cluster/);
  mesh.start(ask);
  await mesh.clock.advance(30_000);
  mesh.answer();
  await mesh.clock.advance(0);
  assert.match(mesh.status().reason!, /have not acknowledged revision 5/);
  assert.equal(mesh.text(), route);
});

test("what an operator writes meanwhile ends it, and stands as it was written", async (t) => {
  const mesh = await setUpRollouts(t);
  mesh.start(ask);
  mesh.answer();
  const own = route.replace("v1 } }]", "v1 }, weight: 100 }]");
  mesh.apply(own);
  await mesh.clock.advance(1_000);
  const { outcome, reason } = mesh.status();
  assert.equal(outcome, "aborted");
  assert.match(reason!, /VirtualService default\/api was changed by revision 4 \(local\)/);
  assert.equal(mesh.text(), own);
  mesh.start(ask);
  mesh.plane.changes.delete(
    { kind: "VirtualService", namespace: "default", name: "api" },
    { caller: localOperator, ifRevision: undefined },
  );
  await mesh.clock.advance(1_000);
  assert.match(mesh.status().reason!, /was deleted by revision 6/);
});

for (const at of ["while the proxies are waited for", "while it is measured"]) {
  test(`a control plane that is killed ${at} goes on where it was`, async (t) => {
    const mesh = await setUpRollouts(t);
    mesh.start(ask);
    await passStep(mesh, 100);
    if (at === "while it is measured") {
      mesh.answer();
      await mesh.clock.advance(3_000);
    }
    mesh.calls("v3", 50);
    mesh.restart();
    assert.ok(mesh.text()!.includes(shared(50)));
    mesh.calls("v3", 0);
    await mesh.clock.advance(12_000);
    assert.equal(mesh.status().stage, 1, "what was counted before says nothing now");
    await passStep(mesh, 100);
    await passStep(mesh, 100);
    mesh.answer();
    await mesh.clock.advance(0);
    assert.equal(mesh.status().outcome, "promoted");
    assert.ok(mesh.status().events.some(({ kind }) => kind === "restarted"));
  });
}

test("an instance that does not come back takes the version back", async (t) => {
  const mesh = await setUpRollouts(t);
  mesh.start(ask);
  mesh.answer();
  await mesh.clock.advance(1_000);
  mesh.plane.leases.get("v3")!.setHealth(false);
  await mesh.clock.advance(12_000);
  mesh.answer();
  await mesh.clock.advance(0);
  assert.match(mesh.status().reason!, /no instance of it is healthy/);
});

test("an operator may hold it, send it on, end it, and undo what was promoted", async (t) => {
  const mesh = await setUpRollouts(t);
  const { rollouts } = mesh.plane;
  mesh.start(ask);
  mesh.answer();
  await mesh.clock.advance(1_000);
  assert.equal(rollouts.command(ask, "pause").phase, "Waiting");
  assert.throws(() => rollouts.command(ask, "pause"), /is paused/);
  await passStep(mesh, 100);
  await passStep(mesh, 100);
  assert.equal(mesh.status().stage, 0, "passed, and still held");
  rollouts.command(ask, "promote");
  assert.equal(mesh.status().stage, 1);
  rollouts.command(ask, "promote-full");
  await mesh.clock.advance(0);
  mesh.answer();
  await mesh.clock.advance(0);
  assert.equal(mesh.status().outcome, "promoted");
  assert.throws(() => rollouts.command(ask, "abort"), /is over: promoted/);
  rollouts.command(ask, "undo");
  mesh.answer();
  await mesh.clock.advance(0);
  assert.equal(mesh.status().outcome, "undone");
  assert.equal(mesh.text(), route);
  mesh.start(ask);
  rollouts.command(ask, "abort");
  mesh.answer();
  await mesh.clock.advance(1_000);
  mesh.answer();
  await mesh.clock.advance(0);
  assert.equal(mesh.status().outcome, "aborted");
  assert.equal(mesh.text(), route);
  assert.deepEqual(mesh.errors, []);
});

test("a paused version that fails is taken back all the same", async (t) => {
  const mesh = await setUpRollouts(t);
  mesh.start(ask);
  mesh.answer();
  mesh.plane.rollouts.command(ask, "pause");
  await passStep(mesh, 20, 20);
  assert.equal(mesh.text(), route);
});

test("copies and matching requests come before shares", async (t) => {
  const mesh = await setUpRollouts(t);
  const match = [{ headers: { "x-canary": { exact: "insider" } } }];
  mesh.start({ ...ask, mirrorPercent: 50, match, iterations: 2 });
  assert.match(mesh.text()!, /mirrors:[\s\S]*subset: v3[\s\S]*value: 50/);
  await passStep(mesh, 20);
  await passStep(mesh, 20);
  assert.match(mesh.text()!, /x-canary/);
  assert.doesNotMatch(mesh.text()!, /mirrors|weight/);
  await passStep(mesh, 20);
  await passStep(mesh, 20);
  assert.match(mesh.text()!, /x-canary/);
  assert.ok(mesh.text()!.includes(shared(10)));
});

const backend = (version: string) => `apiVersion: v1
kind: Service
metadata: { name: api-${version} }
spec: { selector: { app: api, version: ${version} }, ports: [{ name: http, port: 9080 }] }
`;
const httpRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: api }
spec:
  parentRefs: [{ group: "", kind: Service, name: api }]
  rules:
    - backendRefs: [{ name: api-v1, port: 9080 }]
`;

test("of a service with an HTTPRoute that one is shifted, between the backends of its versions", async (t) => {
  const mesh = await setUpRollouts(t);
  mesh.apply([backend("v1"), backend("v3"), httpRoute].join("---\n"));
  const { route: of, from, to } = mesh.start({ ...ask, steps: [25] });
  assert.deepEqual([of.kind, from, to], ["HTTPRoute", "v1", "v3"]);
  const text = () => mesh.plane.config.entries.get("HTTPRoute/default/api")?.text.text;
  const shares = "{ name: api-v1, port: 9080, weight: 75 }, { name: api-v3, port: 9080, weight: 25 }";
  assert.ok(text()!.includes(shares), text());
  await passStep(mesh, 50);
  assert.equal(text(), httpRoute.replace("api-v1", "api-v3"));
  mesh.answer();
  await mesh.clock.advance(0);
  assert.equal(mesh.status().outcome, "promoted");
  assert.equal(mesh.status().events.find(({ kind }) => kind === "passed")!.canary!.requests, 50);
  assert.equal(mesh.text(), route, "the VirtualService beside it says nothing now, and is left alone");
  const sources = { ...ask, from: "v3", to: "v1", match: [{ sourceLabels: { app: "web" } }] };
  assert.throws(() => mesh.start(sources), /matches headers and query parameters by exact and regex alone/);
});

const refused: readonly (readonly [name: string, ask: object, change: string, message: RegExp])[] = [
  ["an unknown service", { service: "nobody" }, "", /no service default\/nobody/],
  ["an unknown version", { to: "v9" }, "", /no subset of api is v9/],
  ["a version that serves already", { to: "v1" }, "", /sends no calls to any other version than v1/],
  ["a route that names no subset", {}, route.replace(", subset: v1", ""), /without a subset/],
  [
    "two versions without --from",
    {},
    route.replace(
      "subset: v1 } }",
      "subset: v1 }, weight: 50 }, { destination: { host: api, subset: v2 }, weight: 50 }",
    ),
    /sends calls to v1 and v2/,
  ],
];
for (const [name, changed, change, message] of refused) {
  test(`refuses ${name}`, async (t) => {
    const mesh = await setUpRollouts(t);
    mesh.apply(subsets.replace("subsets: [", "subsets: [{ name: v2, labels: { version: v2 } }, "));
    if (change !== "") mesh.apply(change);
    assert.throws(() => mesh.start({ ...ask, ...changed }), message);
  });
}

test("there is one rollout for a service, and none to a version that is not there", async (t) => {
  const mesh = await setUpRollouts(t);
  mesh.start(ask);
  assert.throws(() => mesh.start(ask), /a rollout of default\/api to v3 is under way/);
  mesh.plane.rollouts.command(ask, "abort");
  mesh.answer();
  await mesh.clock.advance(1_000);
  mesh.answer();
  await mesh.clock.advance(0);
  mesh.plane.leases.get("v3")!.setHealth(false);
  assert.throws(() => mesh.start(ask), /no instance of api v3 is healthy/);
});
