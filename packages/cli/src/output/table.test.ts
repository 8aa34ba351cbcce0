import assert from "node:assert/strict";
import { test } from "node:test";
import { type Column, formatTable } from "./table.ts";
import { formatAge, formatMs, formatShare } from "./units.ts";

interface Row {
  readonly name: string;
  readonly rps: string;
}

const columns: readonly Column<Row>[] = [
  { title: "NAME", value: (row) => row.name, canShrink: true },
  { title: "RPS", value: (row) => row.rps, align: "right" },
];

test("columns are as wide as their widest cell, numbers stand on the right", () => {
  const rows = [
    { name: "details", rps: "9.5" },
    { name: "productpage", rps: "120.0" },
  ];
  assert.equal(formatTable(columns, rows), "NAME           RPS\ndetails        9.5\nproductpage  120.0\n");
});

test("a narrow terminal shortens what may be shortened and nothing else", () => {
  const rows = [{ name: "productpage-v1-7f3a9c", rps: "120.0" }];
  assert.equal(formatTable(columns, rows, 16), "NAME         RPS\nproductp…  120.0\n");
});

test("without a width nothing is cut", () => {
  const rows = [{ name: "x".repeat(300), rps: "1" }];
  assert.ok(formatTable(columns, rows).includes("x".repeat(300)));
});

test("control characters of foreign data do not reach the terminal", () => {
  const table = formatTable(columns, [{ name: "a\u001b[2Jb\nc", rps: "1" }]);
  assert.equal(table.split("\n").length, 3);
  assert.ok(!table.includes("\u001b"));
});

test("wide characters take two columns", () => {
  const rows = [
    { name: "世界", rps: "1" },
    { name: "abcd", rps: "2" },
  ];
  assert.equal(formatTable(columns, rows), "NAME  RPS\n世界    1\nabcd    2\n");
});

test("an empty table is its titles", () => {
  assert.equal(formatTable(columns, []), "NAME  RPS\n");
});

const ages: readonly (readonly [number, string])[] = [
  [-5, "0s"],
  [119_000, "119s"],
  [120_000, "2m"],
  [7_200_000, "2h"],
  [172_800_000, "2d"],
];
for (const [ms, text] of ages) test(`an age of ${ms} ms is ${text}`, () => assert.equal(formatAge(ms), text));

test("a share is 100.00% only when it is all", () => {
  assert.deepEqual([1, 0.99999, 0.5, undefined].map(formatShare), ["100.00%", "99.99%", "50.00%", "-"]);
});

test("latencies keep the digits that matter", () => {
  assert.deepEqual([0.42, 12.4, 12_345, undefined].map(formatMs), ["0.4ms", "12ms", "12.3s", "-"]);
});
