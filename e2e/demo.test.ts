/**
 * The demo, verified from outside the product. Each check of `weft demo --once`
 * becomes a test of its own, so that a failure names what broke.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { tryCommand } from "../packages/cli/src/demo/command.ts";
import type { DemoReport } from "../packages/cli/src/demo/report.ts";
import { jaegerProgram } from "../packages/testkit/src/jaeger.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { until } from "../packages/testkit/src/until.ts";

/** The build, as `npm run demo` uses it; `npm test` makes it. */
const weft = [
  process.execPath,
  join(import.meta.dirname, "..", "packages", "cli", "dist", "main.js"),
] as const;
const isRoot = process.getuid?.() === 0;
const skipWithoutRoot = isRoot || process.env.CI ? false : "needs root for namespaces and nft rules";

/** What of the demo Prometheus and Jaeger show, where they are. */
const observe = findPeer("prometheus") && jaegerProgram ? ["--observe"] : [];

/** Removed when all is over: what a demo that failed has said is there until then. */
function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function runOnce(capture: "nft" | "none", ...more: readonly string[]): Promise<DemoReport> {
  const runDirectory = temporaryFolder(`weft-demo-${capture}-`);
  const args = [
    weft[1],
    "demo",
    "--once",
    "-o",
    "json",
    "--capture",
    capture,
    "--run-dir",
    runDirectory,
    ...more,
  ];
  const result = await tryCommand(weft[0], args, { timeoutMs: 400_000 });
  assert.ok(result.stdout.startsWith("{"), `no report; it said: ${result.stderr}`);
  return JSON.parse(result.stdout);
}

test("the demo shows all it promises, checked from outside", { skip: skipWithoutRoot }, async (t) => {
  const report = await runOnce("nft", ...observe);
  for (const outcome of report.outcomes) {
    await t.test(outcome.name, () => assert.ok(outcome.ok, outcome.seen));
  }
  assert.deepEqual(report.notShown, []);
  assert.ok(report.outcomes.length >= 17 + 3 * observe.length, `only ${report.outcomes.length} checks ran`);
  await t.test("nothing is left of it", async () => {
    const { stdout: namespaces } = await tryCommand("ip", ["netns", "list"]);
    assert.doesNotMatch(namespaces, /weft-demo/);
    const { stdout: links } = await tryCommand("ip", ["link", "show"]);
    assert.doesNotMatch(links, /weft-demo/);
    assert.equal(existsSync("/etc/netns/weft-demo-traffic"), false);
  });
});

test("with Envoy for half of the sidecars it shows the same", {
  skip:
    skipWithoutRoot || (findPeer("envoy") ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers"),
}, async (t) => {
  const report = await runOnce("nft", "--envoy", ...observe);
  for (const outcome of report.outcomes) {
    await t.test(outcome.name, () => assert.ok(outcome.ok, outcome.seen));
  }
  assert.ok(report.outcomes.length >= 17 + 3 * observe.length, `only ${report.outcomes.length} checks ran`);
});

test("without interception the same services run on local ports, and what is missing is said", async (t) => {
  const report = await runOnce("none");
  for (const outcome of report.outcomes) {
    await t.test(outcome.name, () => assert.ok(outcome.ok, outcome.seen));
  }
  assert.ok(report.notShown.length > 0);
});

test("a demo that was killed outright is cleaned up by the next", { skip: skipWithoutRoot }, async () => {
  const runDirectory = temporaryFolder("weft-demo-crash-");
  const child = spawn(weft[0], [weft[1], "demo", "--run-dir", runDirectory], { stdio: "ignore" });
  const namespaces = async () => (await tryCommand("ip", ["netns", "list"])).stdout;
  await until("it has begun", async () => (await namespaces()).includes("weft-demo-traffic"));
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("close", resolve));
  assert.match(await namespaces(), /weft-demo/, "the crash left its namespaces behind");

  const next = spawn(weft[0], [weft[1], "demo", "--run-dir", runDirectory], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise((resolve) => next.once("close", resolve));
  let said = "";
  next.stderr.on("data", (chunk) => (said += chunk));
  await until("the next has begun", () => said.includes("the control plane is up"), { said: () => said });
  next.kill("SIGINT");
  await ended;
  assert.doesNotMatch(await namespaces(), /weft-demo/);
});
