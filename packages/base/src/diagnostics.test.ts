import assert from "node:assert/strict";
import { test } from "node:test";
import { Diagnostics, formatDiagnostic } from "./diagnostics.ts";

test("a diagnostic prints its place, code, message and next step on one line", () => {
  const found = new Diagnostics();
  found.error("W2103", { file: "a.yaml", line: 7, column: 3 }, "host is not a DNS name", "remove the space");
  assert.equal(
    formatDiagnostic(found.all[0]!),
    "a.yaml:7:3: error W2103: host is not a DNS name (remove the space)",
  );
});

test("only errors make a collection erroneous", () => {
  const found = new Diagnostics();
  found.warning("W1", undefined, "odd");
  found.info("W2", undefined, "by the way");
  assert.equal(found.hasErrors, false);
  found.add([{ code: "W3", severity: "error", message: "wrong" }]);
  assert.equal(found.hasErrors, true);
  assert.equal(found.all.length, 3);
});
