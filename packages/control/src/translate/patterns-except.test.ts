import assert from "node:assert/strict";
import { test } from "node:test";
import { RE2JS } from "re2js";
import { patternsExcept } from "./patterns-except.ts";

test("patterns take everything but what is excepted", () => {
  const patterns = patternsExcept(["date", "da", "x-a.b", { prefix: "content-" }, { prefix: ":" }]);
  const compiled = patterns.map((pattern) => RE2JS.compile(pattern));
  const isTaken = (text: string) => compiled.some((pattern) => pattern.matches(text));
  const excepted = ["", "date", "da", "x-a.b", "content-", "content-length", ":", ":status"];
  assert.deepEqual(excepted.filter(isTaken), []);
  const others = [
    "d",
    "dat",
    "dates",
    "dab",
    "hosts",
    "x",
    "x-acb",
    "content",
    "contents",
    "a:b",
    "-",
    "x-~",
  ];
  assert.deepEqual(
    others.filter((text) => !isTaken(text)),
    [],
  );
});
