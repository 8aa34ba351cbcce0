import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { brotliDecompressSync } from "node:zlib";
import type { Index, Wire } from "../../testdata/hpack-test-case/pack.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";

const archive = join(import.meta.dirname, "../../testdata/hpack-test-case/cases.br");
const roomy = { maxBytes: 1 << 20, maxCount: 10_000 };

interface Story {
  readonly name: string;
  readonly lists: readonly (readonly string[])[];
  readonly blocks: readonly { readonly bytes: Buffer; readonly tableSize: number | undefined }[];
}

/** The stories of each encoder; header lists are flat and latin1, as the decoder gives them. */
function readStories(): ReadonlyMap<string, readonly Story[]> {
  const whole = brotliDecompressSync(readFileSync(archive));
  const start = 4 + whole.readUInt32BE(0);
  const { stories, encoders }: Index = JSON.parse(whole.toString("utf8", 4, start));
  const byEncoder = new Map<string, Story[]>();
  let at = start;
  const cut = ([length, tableSize]: Wire) => {
    at += length;
    return { bytes: whole.subarray(at - length, at), tableSize };
  };
  for (const [name, lists] of Object.entries(stories)) {
    for (const [encoder, wires] of Object.entries(encoders)) {
      if (!wires[name]) continue;
      const story: Story = { name, lists, blocks: wires[name].map(cut) };
      byEncoder.set(encoder, [...(byEncoder.get(encoder) ?? []), story]);
    }
  }
  assert.equal(at, whole.length);
  return byEncoder;
}

function decode(decoder: HpackDecoder, block: Buffer): string[] | undefined {
  const flat: string[] = [];
  return decoder.decode(block, 0, block.length, flat) ? flat : undefined;
}

const stories = readStories();

describe("http2jp/hpack-test-case", () => {
  let decoded = 0;

  for (const [encoder, told] of stories) {
    it(`what ${encoder} encoded is decoded`, () => {
      for (const { name, lists, blocks } of told) {
        const sizes = blocks.map(({ tableSize }) => tableSize ?? 0);
        const decoder = new HpackDecoder(roomy, Math.max(4096, ...sizes));
        blocks.forEach(({ bytes }, i) => {
          assert.deepEqual(decode(decoder, bytes), lists[i], `${name}, case ${i}`);
          decoded += 1;
        });
      }
    });
  }

  it("is there completely", () => assert.equal(decoded, 47_142));

  for (const tableBytes of [4096, 0, 256, 65536]) {
    it(`all lists are the same after our encoder, at a table of ${tableBytes}`, () => {
      for (const { name, lists } of stories.get("nghttp2")!) {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(roomy, tableBytes);
        encoder.setPeerTableSize(tableBytes);
        lists.forEach((list, i) => {
          // The encoder leaves out what only HTTP/1 may say.
          const kept = withoutConnectionFields(list);
          encoder.begin(0);
          for (let at = 0; at < list.length; at += 2) encoder.field(list[at]!, list[at + 1]!);
          assert.deepEqual(decode(decoder, Buffer.from(encoder.finish())), kept, `${name}, case ${i}`);
        });
      }
    });
  }
});

function withoutConnectionFields(list: readonly string[]): string[] {
  const dropped = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
  const pairs = list.flatMap((text, i) => (i % 2 === 0 ? [[text, list[i + 1]!]] : []));
  return pairs.filter(([name]) => !dropped.includes(name!)).flat();
}
