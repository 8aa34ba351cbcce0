import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { DashboardFeed, type FeedViewer } from "./feed.ts";
import type { DashboardView } from "./view.ts";
import { applyDelta, type ViewDelta } from "./view-delta.ts";

function viewOf(rows: Readonly<Record<string, number>>, atMs = 0): DashboardView {
  const services = Object.fromEntries(
    Object.entries(rows).map(([id, rps]) => [id, { requestsPerSecond: rps }]),
  );
  const tables = { services, versions: {}, edges: {}, workloads: {}, proxies: {}, problems: {}, events: {} };
  return { mesh: { atMs }, tables } as unknown as DashboardView;
}

class Viewer implements FeedViewer {
  readonly got: { event: string; data: unknown }[] = [];
  queuedBytes = 0;
  isDropped = false;

  send(text: string): void {
    const [, event, data] = /^event: (\w+)\ndata: (.*)\n\n$/.exec(text)!;
    this.got.push({ event: event!, data: JSON.parse(data!) });
  }

  drop(): void {
    this.isDropped = true;
  }
}

function setUp(first: DashboardView) {
  const clock = new FakeClock();
  const state = { view: first, reads: 0 };
  const feed = new DashboardFeed({
    clock,
    read: () => {
      state.reads += 1;
      return state.view;
    },
    onError: (error) => assert.fail(String(error)),
    maxViewers: 2,
    maxQueuedBytes: 100,
    maxQueuedMs: 10_000,
  });
  return { clock, state, feed };
}

test("a viewer gets the view, then only what changed, and has the same view from both", async () => {
  const { clock, state, feed } = setUp(viewOf({ a: 1, b: 2, c: 3 }));
  const viewer = new Viewer();
  feed.add(viewer);
  state.view = viewOf({ a: 1, b: 5, d: 4 }, 2_000);
  await clock.advance(2_000);
  const [first, second] = viewer.got;
  assert.equal(first!.event, "view");
  const delta = second!.data as ViewDelta;
  assert.deepEqual(Object.keys(delta.set.services!), ["b", "d"]);
  assert.deepEqual(delta.gone, { services: ["c"] });
  assert.deepEqual(applyDelta(first!.data as DashboardView, delta), state.view);
});

test("rows and tables without a change stay the same objects for the browser", () => {
  const before = viewOf({ a: 1, b: 2 });
  const after = applyDelta(before, { mesh: before.mesh, set: { services: { b: {} as never } }, gone: {} });
  assert.equal(after.tables.services.a, before.tables.services.a);
  assert.equal(after.tables.edges, before.tables.edges);
});

test("nobody watches: nothing is read; all who watch share one reading", async () => {
  const { clock, state, feed } = setUp(viewOf({}));
  await clock.advance(10_000);
  assert.equal(state.reads, 0);
  const viewers = [new Viewer(), new Viewer()];
  for (const viewer of viewers) feed.add(viewer);
  await clock.advance(2_000);
  assert.equal(state.reads, 2);
  for (const viewer of viewers) feed.remove(viewer);
  await clock.advance(10_000);
  assert.equal(state.reads, 2);
});

test("a viewer whose queue grows beyond its bound is dropped, and the others go on", async () => {
  const { clock, feed } = setUp(viewOf({ a: 1 }));
  const [slow, quick] = [new Viewer(), new Viewer()];
  feed.add(slow);
  feed.add(quick);
  slow.queuedBytes = 10_000;
  await clock.advance(2_000);
  assert.equal(slow.isDropped, true);
  assert.equal(slow.got.length, 1, "and nothing more was queued for it");
  assert.equal(quick.got.length, 2);
  assert.equal(feed.viewers, 1);
});

test("a viewer that never reads is dropped however little there is to send", async () => {
  const { clock, feed } = setUp(viewOf({}));
  const viewer = new Viewer();
  feed.add(viewer);
  viewer.queuedBytes = 1;
  await clock.advance(10_000);
  assert.equal(viewer.isDropped, false);
  await clock.advance(2_000);
  assert.equal(viewer.isDropped, true);
});

test("more viewers than the limit are refused", () => {
  const { feed } = setUp(viewOf({}));
  assert.deepEqual(
    [feed.add(new Viewer()), feed.add(new Viewer()), feed.add(new Viewer())],
    [true, true, false],
  );
});
