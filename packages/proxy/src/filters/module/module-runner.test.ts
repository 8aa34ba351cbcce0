import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it, test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { RequestMessage } from "./module-messages.ts";
import type { ModulePlan } from "./module-plan.ts";
import { type CallResult, ModuleRunner } from "./module-runner.ts";
import { ModuleRunners } from "./module-runners.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-module-"));
const closing: (() => unknown)[] = [];
after(() => {
  for (const close of closing) close();
  rmSync(directory, { recursive: true });
});
let files = 0;

function plan(source: string, overrides: Partial<ModulePlan> = {}): ModulePlan {
  const file = join(directory, `module-${++files}.mjs`);
  writeFileSync(file, source);
  return {
    file,
    config: {},
    phases: ["request"],
    timeoutMs: 1_000,
    memoryLimitMb: 32,
    maxPendingCalls: 100,
    digest: "",
    ...overrides,
  };
}

/** A module whose `onRequest` has this body, with `calls` counting them. */
const onRequest = (body: string) => `
let calls = 0;
export default (config) => ({ onRequest(request) { calls += 1; ${body} } });`;
const obey = onRequest(`
  if (request.path === "/hang") for (;;);
  if (request.path === "/never") return new Promise(() => {});
  if (request.path === "/throw") throw new Error("no");
  if (request.path === "/exit") process.exit(3);
  if (request.path === "/later") return Promise.resolve({ headers: { set: { a: "later" } } });
  if (request.path === "/crash") { setTimeout(() => { throw new Error("loose"); }); return new Promise(() => {}); }
  if (request.path === "/heap") { const kept = []; for (;;) kept.push(Array(1000).fill(calls)); }
  if (request.path === "/buffers") { (globalThis.kept ??= []).push(new Uint8Array(2 ** 20).fill(1)); }
  return { headers: { set: { calls: String(calls) } } };`);

function run(own: ModulePlan) {
  const clock = new FakeClock();
  const said: string[] = [];
  const deps = { clock, random: () => 0.5, warn: (message: string) => said.push(message) };
  const runner = new ModuleRunner(own, deps);
  let lost = 0;
  const release = runner.hold(() => {
    lost += 1;
  });
  closing.push(async () => {
    release();
    await clock.advance(60_000);
    await clock.advance(60_000);
  });
  const ask = (path: string): Promise<CallResult> =>
    new Promise((resolve) => runner.call(message(path), resolve));
  return { clock, said, runner, release, ask, lost: () => lost };
}

const message = (path: string): RequestMessage => ({
  phase: "request",
  method: "GET",
  path,
  authority: "shop",
  scheme: "http",
  headers: [],
  body: undefined,
});
const failed = (failure: string) => ({ kind: "failure", failure });
const edited = (name: string, value: string) => ({
  kind: "decision",
  decision: { kind: "continue", edits: { remove: [], set: [name, value], add: [] } },
});

describe("a module", () => {
  it("decides at once or later, and remembers what it did", async () => {
    const { ask } = run(plan(obey));
    assert.deepEqual(await ask("/"), edited("calls", "1"));
    assert.deepEqual(await ask("/later"), edited("a", "later"));
    assert.deepEqual(await ask("/"), edited("calls", "3"));
  });

  it("that throws fails the call, and goes on", async () => {
    const { ask, said, lost } = run(plan(obey));
    assert.deepEqual(await ask("/throw"), failed("error"));
    assert.deepEqual(await ask("/"), edited("calls", "2"));
    assert.match(said.join(), /module-\d+\.mjs: Error: no$/);
    assert.equal(lost(), 0);
  });

  for (const path of ["/hang", "/never"]) {
    it(`that does not answer (${path}) is stopped when its time is over, and loaded again`, async () => {
      const { ask, clock, said, lost } = run(plan(obey));
      await ask("/");
      const slow = ask(path);
      await clock.advance(500);
      const behind = ask("/never");
      await clock.advance(499);
      assert.equal(lost(), 0);
      await clock.advance(1);
      assert.deepEqual(await slow, failed("timeout"));
      assert.deepEqual(await behind, failed("unavailable"), "it is lost with the thread");
      assert.deepEqual(await ask("/"), failed("unavailable"), "nothing waits for a module that rests");
      assert.match(said.join(), /has not decided in 1000 ms; it is loaded again in 100 ms/);
      await clock.advance(100);
      assert.deepEqual(await ask("/"), edited("calls", "1"), "anew, with nothing remembered");
      assert.equal(lost(), 1);
    });
  }

  it("that keeps failing is loaded again after longer and longer", async () => {
    const { ask, clock, said } = run(plan(obey));
    const delays: string[] = [];
    for (let i = 0; i < 3; i++) {
      await ask("/");
      assert.deepEqual(await ask("/exit"), failed("unavailable"));
      delays.push(/again in (\d+) ms/.exec(said.at(-1)!)![1]!);
      await clock.advance(Number(delays.at(-1)));
    }
    assert.deepEqual(delays, ["100", "200", "400"]);
  });

  const ends: readonly (readonly [path: string, reason: RegExp])[] = [
    ["/exit", /ended with code 3/],
    ["/crash", /loose/],
    ["/heap", /memory limit/],
  ];
  for (const [path, reason] of ends) {
    it(`that ends its thread (${path}) fails its calls, and is loaded again`, async () => {
      const { ask, clock, said } = run(plan(obey));
      assert.deepEqual(await ask(path), failed("unavailable"));
      assert.match(said.join(), reason);
      await clock.advance(100);
      assert.deepEqual(await ask("/"), edited("calls", "1"));
    });
  }

  it("that keeps more buffers than it may have memory is stopped", async () => {
    const { ask, said } = run(plan(obey));
    for (let i = 0; i < 128 && said.length === 0; i++) await ask("/buffers");
    assert.match(said.join(), /holds \d+ bytes outside its heap/);
  });

  const useless: readonly (readonly [source: string, reason: RegExp])[] = [
    ["export const filter = {};", /default export is not a function/],
    ["export default () => 1;", /gives no filter/],
    ["export default () => ({ onResponse() {} });", /no onRequest/],
    ["export default () => { throw new Error('bad config'); };", /bad config/],
    ["export default ((", /SyntaxError/],
    ["import 'no-such-package'; export default () => ({ onRequest() {} });", /no-such-package/],
  ];
  for (const [source, reason] of useless) {
    it(`that cannot be used is unavailable: ${reason.source}`, async () => {
      const { ask, said } = run(plan(source));
      assert.deepEqual(await ask("/"), failed("unavailable"));
      assert.match(said.join(), reason);
    });
  }

  it("whose file is gone is unavailable until it is back", async () => {
    const own = plan(obey);
    rmSync(own.file);
    const { ask, clock, said } = run(own);
    assert.deepEqual(await ask("/"), failed("unavailable"));
    assert.match(said.join(), /Cannot find module/);
    writeFileSync(own.file, obey);
    await clock.advance(100);
    assert.deepEqual(await ask("/"), edited("calls", "1"));
  });

  it("is asked no more than it may have pending, those that were given up included", async () => {
    const { ask, runner, clock } = run(plan(obey, { maxPendingCalls: 2 }));
    await ask("/");
    const forget = runner.call(message("/never"), () => assert.fail("it was given up"));
    forget();
    const second = ask("/never");
    assert.deepEqual(await ask("/"), failed("overflow"));
    await clock.advance(1_000);
    assert.deepEqual(await second, failed("timeout"));
  });

  it("nobody holds ends when it is idle, and is loaded again for what comes late", async () => {
    const { ask, release, clock } = run(plan(obey));
    await ask("/");
    release();
    assert.deepEqual(await ask("/"), edited("calls", "2"), "what is under way is still served");
    await clock.advance(10_000);
    assert.equal(clock.pendingTimers, 0);
    assert.deepEqual(await ask("/"), edited("calls", "1"));
  });

  it("may be TypeScript", async () => {
    const own = plan("");
    const file = own.file.replace(".mjs", ".ts");
    writeFileSync(file, `export default (c: object) => ({ onRequest: (r: { path: string }) => undefined });`);
    const { ask } = run({ ...own, file });
    assert.deepEqual(await ask("/"), {
      kind: "decision",
      decision: { kind: "continue", edits: undefined },
    });
  });
});

describe("a decision that makes no sense fails the call, and says why:", () => {
  const cases: readonly (readonly [decision: string, problem: RegExp])[] = [
    ["1", /decision is not an object/],
    ["{ header: {} }", /unknown key "header"/],
    ["{ headers: { set: { ':path': '/' } } }", /":path" is not a header name/],
    ["{ headers: { set: { host: 'x' } } }", /host cannot be edited/],
    ["{ headers: { add: { 'Content-Length': '1' } } }", /content-length cannot be edited/],
    ["{ headers: { set: { a: 'b\\r\\nc: d' } } }", /a has a character/],
    ["{ headers: { set: { a: 1 } } }", /a is not text/],
    ["{ headers: { remove: 'a' } }", /remove is not a list/],
    ["{ headers: { add: { a: Array(101).fill('x') } } }", /more than 100 header fields/],
    ["{ headers: { set: { a: 'x'.repeat(70000) } } }", /65536 bytes/],
    ["{ respond: { status: 101 } }", /101 is not 200 to 599/],
    ["{ respond: { status: 200, body: 1 } }", /neither text nor bytes/],
    ["{ respond: { status: 200, body: 'x'.repeat(2 ** 21) } }", /larger than 1048576/],
    ["{ respond: { status: 200 }, headers: {} }", /beside `respond`/],
  ];
  const decisions = cases.map(([decision]) => decision).join(",\n");
  const { ask, said, clock } = run(plan(onRequest(`return [${decisions}][Number(request.path)];`)));
  cases.forEach(([decision, problem], i) => {
    it(decision, async () => {
      assert.deepEqual(await ask(`${i}`), failed("error"));
      assert.match(said.at(-1)!, problem);
      await clock.advance(1_000);
    });
  });
});

test("listeners with the same filter share its module while one holds it; other content is another module", () => {
  const runners = new ModuleRunners({ clock: new FakeClock(), random: Math.random, warn() {} });
  const own = plan(obey, { digest: "1" });
  const runner = runners.get(own);
  const releases = [runners.hold(own, runner, () => {}), runners.hold(own, runner, () => {})];
  assert.equal(runners.get({ ...own }), runner);
  assert.notEqual(runners.get({ ...own, digest: "2" }), runner);
  releases[0]!();
  assert.equal(runners.get(own), runner);
  releases[1]!();
  assert.notEqual(runners.get(own), runner);
});
