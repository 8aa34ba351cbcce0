import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const canUnshare = spawnSync("unshare", ["--net", "true"]).status === 0;

test("the measurement of a sidecar's memory runs in its short form", {
  skip: canUnshare ? false : "no network namespaces without root",
}, () => {
  const script = join(import.meta.dirname, "sidecar-memory.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--quick"], {
    encoding: "utf8",
    timeout: 120_000,
  });
  assert.equal(status, 0, stderr);
  for (const what of ["five services named by a Sidecar", "services learnt by use", "all services"]) {
    assert.match(stdout, new RegExp(`^${what}, mesh of 50: [0-9.]+ MB`, "m"));
  }
});
