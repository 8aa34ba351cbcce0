import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "@weft/testkit/properties";
import { DerError, DerReader, tags } from "./der-reader.ts";
import { element, octetString, oid, sequence, time, unsignedInteger } from "./der-writer.ts";

const reader = (hex: string) => new DerReader(Buffer.from(hex, "hex"));

test("what is BER and not DER is refused", () => {
  const cases: readonly [string, string, (read: DerReader) => unknown][] = [
    ["an indefinite length", "30800000", (read) => read.enter(tags.sequence)],
    [
      "a length in the long form that fits the short one",
      "04810100",
      (read) => read.content(tags.octetString),
    ],
    [
      "a length with a leading zero",
      `0482008${"0"}${"00".repeat(128)}`,
      (read) => read.content(tags.octetString),
    ],
    ["a length beyond the end", "040200", (read) => read.content(tags.octetString)],
    ["a length of four bytes", "048400000001ff", (read) => read.content(tags.octetString)],
    ["no length", "04", (read) => read.content(tags.octetString)],
    ["another tag", "0400", (read) => read.content(tags.integer)],
    ["a tag of several bytes", "1f8100", (read) => read.element()],
    ["an INTEGER with a needless zero", "02020001", (read) => read.integer()],
    ["an INTEGER with a needless sign", "0202ff80", (read) => read.integer()],
    ["an empty INTEGER", "0200", (read) => read.integer()],
    ["a negative small INTEGER", "0201ff", (read) => read.smallInteger(255)],
    ["a small INTEGER that is too large", "020103", (read) => read.smallInteger(2)],
    ["a BOOLEAN other than 0 and 255", "010101", (read) => read.boolean()],
    ["a BIT STRING with nine unused bits", "03020900", (read) => read.bitString()],
    ["a BIT STRING without a count", "0300", (read) => read.bitString()],
    ["an OID with a needless byte", "0603558001", (read) => read.oid()],
    ["an OID that is cut off", "06025581", (read) => read.oid()],
    ["bytes after the end", "0500ff", (read) => read.element() && read.finish()],
  ];
  for (const [name, hex, run] of cases) assert.throws(() => run(reader(hex)), DerError, name);
});

test("what is written is read back", () => {
  for (const text of ["2.5.29.17", "1.2.840.113549.1.9.14", "1.3.6.1.5.5.7.3.1", "2.999.3"]) {
    assert.equal(new DerReader(oid(text)).oid(), text);
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 70_000 }), (bytes) => {
      const content = Buffer.from(bytes);
      assert.deepEqual(
        new DerReader(sequence(octetString(content))).enter(tags.sequence).content(tags.octetString),
        content,
      );
      const number = new DerReader(unsignedInteger(content)).integer();
      assert.equal(BigInt(`0x${number.toString("hex")}`), BigInt(`0x${content.toString("hex")}`));
    }),
  );
  assert.deepEqual([...element(tags.octetString)], [4, 0]);
});

test("times are written as RFC 5280 asks: with two digits of the year until 2049", () => {
  const text = (ms: number) => time(ms).toString("latin1", 2);
  assert.equal(text(Date.UTC(2049, 11, 31, 23, 59, 59, 999)), "491231235959Z");
  assert.equal(text(Date.UTC(2050, 0, 1)), "20500101000000Z");
});
