/** The published package works as users get it: packed, installed elsewhere, run by whatever Node is there. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand, tryCommand } from "../packages/cli/src/demo/command.ts";

const root = join(import.meta.dirname, "..");

test("npm pack, npm install, npx weft", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "weft-install-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const packed = await runCommand(
    "npm",
    ["pack", "--workspace", "weft", "--pack-destination", directory, "--json"],
    {
      timeoutMs: 120_000,
      env: { ...process.env, npm_config_prefix: undefined, PWD: root },
    },
  );
  const [{ filename }] = JSON.parse(packed.slice(packed.indexOf("[")));
  await runCommand(
    "npm",
    ["install", "--prefix", directory, "--no-fund", "--no-audit", join(directory, filename)],
    {
      timeoutMs: 300_000,
    },
  );
  const weft = join(directory, "node_modules", ".bin", "weft");
  await t.test("says its version", async () => {
    assert.match(await runCommand(weft, ["version"]), /^weft \d+\.\d+\.\d+/);
  });
  await t.test("knows its commands", async () => {
    assert.match(await runCommand(weft, ["--help"]), /control-plane[\s\S]*run[\s\S]*proxy/);
  });
  await t.test("refuses a bad bootstrap with its place", async () => {
    const result = await tryCommand(weft, ["proxy", "-c", join(directory, "missing.yaml")]);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /missing\.yaml/);
  });
});
