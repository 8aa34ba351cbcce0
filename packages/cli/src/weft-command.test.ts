import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "./package-root.ts";
import { sidecarNodeFlags } from "./weft-command.ts";

test("the launcher gives a sidecar the same flags as its agent does", () => {
  const launcher = readFileSync(join(packageRoot, "bin", "weft"), "utf8");
  assert.match(launcher, /control-plane\) set -- --disable-sigusr1 /);
  assert.match(launcher, new RegExp(`proxy \\| run\\) set -- ${sidecarNodeFlags.join(" ")} `));
});
