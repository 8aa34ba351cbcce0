import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { countOpenDescriptors, descriptorLimit } from "./open-descriptors.ts";

test("a file that is opened is counted until it is closed", (t) => {
  const before = countOpenDescriptors();
  if (before === undefined) return t.skip("this kernel does not count");
  const files = Array.from({ length: 50 }, () => openSync(import.meta.filename, "r"));
  const during = countOpenDescriptors()!;
  for (const file of files) closeSync(file);
  // Others of the runner's may come and go meanwhile.
  assert.ok(during >= before + 40, `${before} before, ${during} with 50 more`);
  assert.ok(during < descriptorLimit());
});
