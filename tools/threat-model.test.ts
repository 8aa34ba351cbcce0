import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs", "threat-model.md"), "utf8");
const [, threats = ""] = page.split("## Threats\n");
const rows = threats
  .split("## ")[0]!
  .split("\n")
  .filter((line) => /^\| (?!threat |---)/.test(line));

test("every threat has something against it, and a test that shows it", () => {
  assert.ok(rows.length >= 25);
  for (const row of rows) {
    const [threat, against, shown] = row.slice(2, -2).split(" | ") as [string, string, string];
    assert.ok(against !== "", threat);
    const tests = [...(shown ?? "").matchAll(/`([^`]+\.ts)`: ([^;]+)/g)];
    assert.ok(tests.length > 0, `${threat}: no test is named`);
    for (const [, file, name] of tests) {
      const path = join(root, file!);
      assert.ok(existsSync(path), `${threat}: ${file} is not there`);
      assert.ok(readFileSync(path, "utf8").includes(name!.trim()), `${threat}: ${file} has no "${name}"`);
    }
  }
});
