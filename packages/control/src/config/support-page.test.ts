import assert from "node:assert/strict";
import { test } from "node:test";
import { golden } from "@weft/testkit/golden";
import { supportOf } from "./check-support.ts";
import { grpcSupport } from "./grpc-support.ts";
import { meshKinds } from "./kinds.ts";
import { fieldSupport } from "./support.ts";
import { supportPage } from "./support-page.ts";

test("docs/support.md says what the tables say", () => {
  golden(new URL("../../../../docs/support.md", import.meta.url), supportPage());
});

test("the page has every kind, and no field without a word", () => {
  const page = supportPage();
  for (const kind of meshKinds) assert.ok(page.includes(`\n## ${kind}\n`), kind);
  const silent = page
    .split("\n")
    .filter((line) => line.startsWith("| `") && /\| (no|partly)[^|]*\| *\|$/.test(line));
  assert.deepEqual(silent, []);
});

test("what gRPC does not do is a field that sidecars have", () => {
  const isKnown = ({ kind, path }: (typeof grpcSupport)[number]) =>
    supportOf(kind, path) !== undefined ||
    fieldSupport.some((row) => row.kind === kind && row.path.startsWith(`${path}.`));
  assert.deepEqual(
    grpcSupport.filter((row) => !isKnown(row)),
    [],
  );
});
