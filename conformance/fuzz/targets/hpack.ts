import assert from "node:assert/strict";
import { HpackDecoder } from "@weft/proxy/http2/hpack-decoder";
import { HpackEncoder } from "@weft/proxy/http2/hpack-encoder";
import { huffmanLength, readHuffman, writeHuffman } from "@weft/proxy/http2/huffman";
import { block } from "@weft/proxy/listener/test-frame-client";
import { type FuzzTarget, split } from "../target.ts";

const limits = { maxBytes: 8192, maxCount: 100 };
const tableBytes = 4096;
const dropped = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);
const blocks = [
  "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
  "8286 84be 5886 a8eb 1064 9cbf",
  "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
  "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
  "1008 7061 7373 776f 7264 0673 6563 7265 74",
  "3fe1 1f82",
  "20 3fe1 1f 82",
].map((hex) => Buffer.from(hex.replaceAll(" ", ""), "hex"));

export const hpack: FuzzTarget = {
  name: "hpack",
  seeds: [
    ...blocks,
    Buffer.concat(blocks.slice(0, 5)),
    block(":method", "GET", "cookie", "a=b", "x-a", "b".repeat(200)),
  ],
  tokens: [
    "\x82",
    "\xbe",
    "\x40\x01a\x01b",
    "\x20",
    "\x3f\xe1\x1f",
    "\x00\x01a\x01b",
    "\xff\xff\xff\xff\x0f",
    "\x7f",
  ],
  check(input, cuts) {
    const decoder = new HpackDecoder(limits, tableBytes);
    const encoder = new HpackEncoder();
    const again = new HpackDecoder(limits, tableBytes);
    for (const piece of split(input, cuts)) {
      const flat: string[] = [];
      const isSound = decoder.decode(piece, 0, piece.length, flat);
      assert.ok(decoder.tableBytes >= 0 && decoder.tableBytes <= tableBytes, "the table keeps its size");
      assert.ok(flat.length <= limits.maxCount * 2);
      if (!isSound) return;
      encoder.begin(0);
      for (let i = 0; i < flat.length; i += 2) encoder.field(flat[i]!, flat[i + 1]!);
      const encoded = Buffer.from(encoder.finish());
      const second: string[] = [];
      assert.ok(again.decode(encoded, 0, encoded.length, second));
      const kept = flat.filter((_text, i) => !dropped.has(flat[i - (i % 2)]!));
      assert.deepEqual(second, kept);
    }
  },
};

export const huffman: FuzzTarget = {
  name: "huffman",
  seeds: ["www.example.com", "no-cache", "\0\x01\xfe\xff", "~".repeat(50)].map((text) =>
    Buffer.from(text, "latin1"),
  ),
  tokens: ["\xff", "\0", "\x1f", "\xfe\xff"],
  check(input) {
    const text = input.toString("latin1");
    const into = Buffer.alloc(input.length * 4 + 8);
    const end = writeHuffman(text, into, 0);
    assert.equal(end, huffmanLength(text));
    assert.equal(readHuffman(into, 0, end), text);
    const read = readHuffman(input, 0, input.length);
    if (read === undefined) return;
    // A code has one reading: written again it is the same, but for padding, which readers check.
    assert.equal(huffmanLength(read), input.length);
  },
};
