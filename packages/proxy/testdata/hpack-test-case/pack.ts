/**
 * Packs a checkout of github.com/http2jp/hpack-test-case into `cases.br`:
 *
 *   node packages/proxy/testdata/hpack-test-case/pack.ts CHECKOUT
 *
 * Every encoder was given the same header lists, so each list is kept once. The
 * archive is brotli over: a 32-bit length, that many bytes of JSON (`Index`),
 * and the wire bytes of all cases in the order of the index.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

/** Header lists are flat: name, value, name, value … */
export interface Index {
  readonly stories: Record<string, string[][]>;
  readonly encoders: Record<string, Record<string, Wire[]>>;
}

/** Bytes of a case, and the table size in force from it on where the case names one. */
export type Wire = readonly [length: number, tableSize?: number];

interface Case {
  readonly wire: string;
  readonly headers: readonly Record<string, string>[];
  readonly header_table_size?: number;
}

if (import.meta.main) {
  const checkout = process.argv[2]!;
  const index: Index = { stories: {}, encoders: {} };
  const wires: Buffer[] = [];
  const folders = readdirSync(checkout, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !["raw-data", "util", ".git"].includes(entry.name))
    .map(({ name }) => name)
    .sort();
  for (const story of readdirSync(join(checkout, folders[0]!)).sort()) {
    for (const folder of folders) {
      const file = join(checkout, folder, story);
      if (!existsSync(file)) continue;
      const { cases } = readStory(file);
      const lists = cases.map(({ headers }) => headers.flatMap((header) => Object.entries(header)[0]!));
      index.stories[story] ??= lists;
      if (JSON.stringify(index.stories[story]) !== JSON.stringify(lists)) throw new Error(`${folder}/${story}`);
      index.encoders[folder] ??= {};
      index.encoders[folder][story] = cases.map((one): Wire => {
        wires.push(Buffer.from(one.wire, "hex"));
        const size = one.header_table_size;
        return size === undefined ? [one.wire.length / 2] : [one.wire.length / 2, size];
      });
    }
  }
  const json = Buffer.from(JSON.stringify(index));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  const whole = Buffer.concat([length, json, ...wires]);
  const packed = brotliCompressSync(whole, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: whole.length,
    },
  });
  writeFileSync(join(import.meta.dirname, "cases.br"), packed);
  console.error(`${wires.length} cases, ${packed.length} bytes`);
}

function readStory(file: string): { readonly cases: readonly Case[] } {
  return JSON.parse(readFileSync(file, "utf8"));
}
