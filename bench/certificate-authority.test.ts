import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

/** Does it run, in the process and over the wire: figures are for the real run. */
test("the certificate authority's benchmark runs in its short form and measures both", () => {
  const script = join(import.meta.dirname, "certificate-authority.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--quick"], {
    encoding: "utf8",
    timeout: 120_000,
  });
  assert.equal(status, 0, stderr);
  for (const line of [/^requests per CPU second/m, /^renewals per CPU second/m, /^5000 workloads/m]) {
    assert.match(stdout, line);
  }
  assert.doesNotMatch(stdout, /NaN|Infinity/);
});
