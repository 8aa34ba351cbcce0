import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

/** Does it run, and does every proxy get every change: figures are for the real run. */
test("the control plane's benchmark runs in its short form and measures every change", () => {
  const script = join(import.meta.dirname, "control-plane.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--quick"], {
    encoding: "utf8",
    timeout: 120_000,
  });
  assert.equal(status, 0, stderr);
  for (const line of [
    /^first connection/m,
    /^endpoint change.*p99/m,
    /^route change.*p99/m,
    /^all proxies back/m,
  ]) {
    assert.match(stdout, line);
  }
  assert.doesNotMatch(stdout, /NaN/);
});

test("the measurement of a growing mesh gives a figure for each kind of change", () => {
  const script = join(import.meta.dirname, "control-plane.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--growth", "--quick"], {
    encoding: "utf8",
    timeout: 120_000,
  });
  assert.equal(status, 0, stderr);
  for (const change of ["endpoint", "join", "route"]) {
    assert.match(stdout, new RegExp(`^ratio of ${change} changes +[0-9.]+$`, "m"));
  }
});
