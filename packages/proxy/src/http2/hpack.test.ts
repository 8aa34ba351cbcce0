import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "@weft/testkit/properties";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import { huffmanLength, readHuffman, writeHuffman } from "./huffman.ts";

const roomy = { maxBytes: 65536, maxCount: 1000 };

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

function decode(decoder: HpackDecoder, block: Buffer): string[] | undefined {
  const flat: string[] = [];
  return decoder.decode(block, 0, block.length, flat) ? flat : undefined;
}

function encode(encoder: HpackEncoder, flat: readonly string[]): Buffer {
  encoder.begin(0);
  for (let i = 0; i < flat.length; i += 2) encoder.field(flat[i]!, flat[i + 1]!);
  return Buffer.from(encoder.finish());
}

const get = [":method", "GET", ":scheme", "http", ":path", "/"];
const getSecure = [":method", "GET", ":scheme", "https", ":path", "/index.html"];
const site = [":authority", "www.example.com"];
const custom = ["custom-key", "custom-value"];
const noCache = ["cache-control", "no-cache"];
const found = ["location", "https://www.example.com"];
const cookie = ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"];
const at = (second: string) => ["date", `Mon, 21 Oct 2013 20:13:${second} GMT`];
const answers = [
  [":status", "302", "cache-control", "private", ...at("21"), ...found],
  [":status", "307", "cache-control", "private", ...at("21"), ...found],
  [
    ":status",
    "200",
    "cache-control",
    "private",
    ...at("22"),
    ...found,
    "content-encoding",
    "gzip",
    ...cookie,
  ],
];

/** RFC 7541 appendix C: blocks, fields, and the table's size after each. */
const vectors: [name: string, tableBytes: number, blocks: [hex: string, fields: string[], size: number][]][] =
  [
    [
      "C.2.1",
      4096,
      [
        [
          "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
          ["custom-key", "custom-header"],
          55,
        ],
      ],
    ],
    ["C.2.2", 4096, [["040c 2f73 616d 706c 652f 7061 7468", [":path", "/sample/path"], 0]]],
    ["C.2.3", 4096, [["1008 7061 7373 776f 7264 0673 6563 7265 74", ["password", "secret"], 0]]],
    ["C.2.4", 4096, [["82", [":method", "GET"], 0]]],
    [
      "C.3",
      4096,
      [
        ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", [...get, ...site], 57],
        ["8286 84be 5808 6e6f 2d63 6163 6865", [...get, ...site, ...noCache], 110],
        [
          "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
          [...getSecure, ...site, ...custom],
          164,
        ],
      ],
    ],
    [
      "C.4",
      4096,
      [
        ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", [...get, ...site], 57],
        ["8286 84be 5886 a8eb 1064 9cbf", [...get, ...site, ...noCache], 110],
        [
          "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
          [...getSecure, ...site, ...custom],
          164,
        ],
      ],
    ],
    [
      "C.5",
      256,
      [
        [
          "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
          answers[0]!,
          222,
        ],
        ["4803 3330 37c1 c0bf", answers[1]!, 222],
        [
          "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
          answers[2]!,
          215,
        ],
      ],
    ],
    [
      "C.6",
      256,
      [
        [
          "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
          answers[0]!,
          222,
        ],
        ["4883 640e ffc1 c0bf", answers[1]!, 222],
        [
          "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
          answers[2]!,
          215,
        ],
      ],
    ],
  ];

for (const [name, tableBytes, blocks] of vectors) {
  test(`RFC 7541 ${name} decodes to its fields and leaves its table`, () => {
    const decoder = new HpackDecoder(roomy, tableBytes);
    // The examples are of an encoder that has agreed to the smaller table.
    if (tableBytes === 256) decode(decoder, bytesOf("3f e1 01"));
    for (const [hex, fields, size] of blocks) {
      assert.deepEqual(decode(decoder, bytesOf(hex)), fields);
      assert.equal(decoder.tableBytes, size);
    }
  });
}

const broken: [what: string, hex: string][] = [
  ["index 0", "80"],
  ["an index beyond both tables", "be"],
  ["an integer of more than 28 bits", "ff ff ff ff ff 0f"],
  ["an integer cut off", "ff"],
  ["a string longer than the block", "00 01 61 05 62"],
  ["a string that is missing", "40"],
  ["a table larger than announced", "3f e2 1f"],
  ["a table update after a field", "82 20"],
  ["Huffman padding of zeros", "00 81 18 01 62"],
  ["Huffman padding of eight bits", "00 82 1f ff 01 62"],
  ["EOS at the end of a Huffman string, across octets", "00 85 fe ff ff ff ff 01 62"],
  ["EOS inside a Huffman string", "00 84 ff ff ff ff 01 62"],
];
for (const [what, hex] of broken) {
  test(`${what} is a compression error`, () => {
    assert.equal(decode(new HpackDecoder(roomy, 4096), bytesOf(hex)), undefined);
  });
}

test("a peer that has not read our SETTINGS yet uses the table it may assume", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(roomy, 0);
  assert.ok(decode(decoder, encode(encoder, ["a-name", "1"])));
  assert.deepEqual(decode(decoder, encode(encoder, ["a-name", "1"])), ["a-name", "1"]);
  encoder.setPeerTableSize(0);
  assert.deepEqual(decode(decoder, encode(encoder, ["a-name", "1"])), ["a-name", "1"]);
  assert.equal(decoder.tableBytes, 0);
});

test("a block over the limits keeps the table in step but not its fields", () => {
  const decoder = new HpackDecoder({ maxBytes: 100, maxCount: 100 }, 4096);
  const encoder = new HpackEncoder();
  assert.ok(decode(decoder, encode(encoder, ["a-name", "1", "b-name", "2", "c-name", "3"])));
  assert.equal(decoder.isOverLimit, true);
  assert.deepEqual(decode(decoder, encode(encoder, ["c-name", "3"])), ["c-name", "3"]);
  assert.equal(decoder.isOverLimit, false);
});

test("what repeats costs one octet, what is of one message or secret never enters the table", () => {
  const encoder = new HpackEncoder();
  const fields = ["user-agent", "curl/8", "x-request-id", "4bf92f35", "authorization", "Bearer x"];
  const first = encode(encoder, fields);
  const second = encode(encoder, fields);
  assert.equal(encode(encoder, ["user-agent", "curl/8"]).length, 1);
  const decoder = new HpackDecoder(roomy, 4096);
  assert.deepEqual(decode(decoder, first), fields);
  assert.equal(decoder.tableBytes, 32 + "user-agent".length + "curl/8".length);
  // "authorization" is never indexed: 0001 with static name 23.
  assert.ok(second.includes(Buffer.from([0x1f, 23 - 15])));
});

test("a smaller table asked for by the peer is announced, also when it grew again at once", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(roomy, 4096);
  decode(decoder, encode(encoder, ["a-name", "1"]));
  encoder.setPeerTableSize(0);
  encoder.setPeerTableSize(100);
  const block = encode(encoder, ["a-name", "1"]);
  assert.equal(block[0], 0x20);
  assert.deepEqual(decode(decoder, block), ["a-name", "1"]);
  assert.equal(decoder.tableBytes, 39);
});

const text = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
  maxLength: 300,
});
const repeating = fc.constantFrom("a", "bb", "accept", "x-request-id", ":path", "date", "authorization");

test("any list of fields survives encoding and decoding, over many blocks and table sizes", () => {
  const block = fc.record({
    table: fc.option(fc.nat(5000), { freq: 4 }),
    fields: fc.array(fc.tuple(fc.oneof(repeating, text), fc.oneof(repeating, text)), { maxLength: 30 }),
  });
  fc.assert(
    fc.property(fc.array(block, { maxLength: 20 }), (blocks) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder({ maxBytes: 1e6, maxCount: 1000 }, 5000);
      for (const { table, fields } of blocks) {
        if (table !== null) encoder.setPeerTableSize(table);
        const flat = fields.flat();
        assert.deepEqual(decode(decoder, encode(encoder, flat)), flat);
      }
    }),
  );
});

test("any octets either decode or are refused, and the table stays within its limit", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (blocks) => {
      const decoder = new HpackDecoder(roomy, 4096);
      for (const block of blocks) {
        if (!decode(decoder, Buffer.from(block))) return;
        assert.ok(decoder.tableBytes <= 4096 && decoder.tableBytes >= 0);
      }
    }),
    { numRuns: 1000 },
  );
});

test("every text survives Huffman coding in exactly the length foretold", () => {
  fc.assert(
    fc.property(text, (value) => {
      const into = Buffer.alloc(value.length * 4 + 8);
      const end = writeHuffman(value, into, 3);
      assert.equal(end - 3, huffmanLength(value));
      assert.equal(readHuffman(into, 3, end), value);
    }),
  );
});
