import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { addRequire, placeNodePreload } from "./node-preload.ts";

const ask = (options: string) =>
  execFileSync(process.execPath, ["-p", "globalThis.loaded ?? 'nothing'"], {
    env: { ...process.env, NODE_OPTIONS: options },
    encoding: "utf8",
  }).trim();

for (const name of ["plain", "with space", 'with "quotes"', "with\\backslash"]) {
  test(`Node loads a preload from a folder ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "weft-preload-"));
    const run = join(folder, name);
    mkdirSync(run);
    const source = join(folder, "source.cjs");
    writeFileSync(source, "globalThis.loaded = (globalThis.loaded ?? '') + 'x'");
    assert.equal(ask(placeNodePreload(source, run, undefined, false)), "x");
    const both = placeNodePreload(source, run, "--no-warnings ", false);
    assert.match(both, /^--no-warnings --require /);
    assert.equal(ask(both), "x");
    rmSync(folder, { recursive: true });
  });
}

test("what is loaded already stays", () => {
  assert.equal(
    addRequire("--require ./apm.js", "/run/weft/a/trace-node.cjs"),
    "--require ./apm.js --require /run/weft/a/trace-node.cjs",
  );
});

test("a preload that is not there is told before the application starts", () => {
  assert.throws(() => placeNodePreload("/nowhere/trace-node.cjs", tmpdir(), undefined, false), {
    name: "UserError",
    message: /cannot be copied/,
  });
});
