import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "@weft/testkit/properties";
import { StringCache } from "./string-cache.ts";

test("a string is read as it was written, whatever was read before at its place", () => {
  const cache = new StringCache(4);
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string({ maxLength: 6 }), fc.string({ unit: "binary" }))), (texts) => {
      for (const text of texts) {
        const bytes = Buffer.from(`<${text.toWellFormed()}>`);
        assert.equal(cache.read(bytes, 1, bytes.length - 1), text.toWellFormed());
      }
    }),
  );
});

test("bytes that are not UTF-8 are refused, and long strings are read too", () => {
  const cache = new StringCache(4);
  assert.throws(() => cache.read(Uint8Array.of(0xff), 0, 1), TypeError);
  const long = "x".repeat(5_000);
  assert.equal(cache.read(Buffer.from(long), 0, long.length), long);
});
