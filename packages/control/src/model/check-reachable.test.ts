import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpMatchSpec } from "../config/virtual-service-specs.ts";
import { covers } from "./check-reachable.ts";

const jason = { headers: { "end-user": { exact: "jason" } } };

const cases: readonly (readonly [wide: HttpMatchSpec, narrow: HttpMatchSpec, covers: boolean])[] = [
  [{}, jason, true],
  [jason, {}, false],
  [jason, { headers: { "End-User": { exact: "jason" }, b: { exact: "c" } } }, true],
  [{ headers: { "end-user": {} } }, jason, true],
  [{ headers: { "end-user": { prefix: "ja" } } }, jason, true],
  [{ headers: { "end-user": { prefix: "jb" } } }, jason, false],
  [{ uri: { prefix: "/" } }, {}, true],
  [{ uri: { prefix: "/a" } }, { uri: { prefix: "/a/b" } }, true],
  [{ uri: { prefix: "/a" } }, { uri: { exact: "/ab" } }, true],
  [{ uri: { prefix: "/a/b" } }, { uri: { prefix: "/a" } }, false],
  [{ uri: { prefix: "/a" } }, { uri: { regex: "/a/.*" } }, false],
  [{ uri: { regex: "/a+" } }, { uri: { regex: "/a+" } }, true],
  [{ uri: { exact: "/a" } }, { uri: { prefix: "/a" } }, false],
  [{ uri: { prefix: "/A" }, ignoreUriCase: true }, { uri: { prefix: "/a" } }, true],
  [{ uri: { prefix: "/a" } }, { uri: { prefix: "/a" }, ignoreUriCase: true }, false],
  [{ uri: { prefix: "/a" }, port: 80 }, { uri: { prefix: "/a" } }, false],
  [{ uri: { prefix: "/a" } }, { uri: { prefix: "/a" }, port: 80 }, true],
  [{ sourceLabels: { app: "x" } }, { sourceLabels: { app: "x", v: "1" } }, true],
  [{ sourceLabels: { app: "x" } }, {}, false],
  [{ withoutHeaders: { a: {} } }, {}, false],
  [{ withoutHeaders: { a: {} } }, { withoutHeaders: { a: {} }, uri: { exact: "/" } }, true],
  [{ queryParams: { v: { exact: "1" } } }, { queryParams: { v: { exact: "2" } } }, false],
];

test("a match covers another only where every request of the other is among its own", () => {
  for (const [wide, narrow, expected] of cases) {
    assert.equal(covers(wide, narrow), expected, `${JSON.stringify(wide)} ${JSON.stringify(narrow)}`);
  }
});
