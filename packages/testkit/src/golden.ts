import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Asserts that `actual` is the text of a reviewed file. `UPDATE_GOLDEN=1` writes
 * the file instead, so that a change is reviewed as a diff of what the product
 * does. A missing file fails: a golden is never made by accident.
 */
export function golden(file: URL, actual: string): void {
  const path = fileURLToPath(file);
  if (process.env.UPDATE_GOLDEN === "1") {
    if (!existsSync(path) || readFileSync(path, "utf8") !== actual) writeFileSync(path, actual);
    return;
  }
  if (!existsSync(path)) assert.fail(`${path} is missing: run with UPDATE_GOLDEN=1 and review it`);
  const expected = readFileSync(path, "utf8");
  assert.equal(actual, expected, `${path} differs: run with UPDATE_GOLDEN=1 and review the diff`);
}
