import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "@weft/testkit/properties";
import { combineHashes, formatHash, type Hash64, remainder } from "./hash64.ts";
import { MersenneTwister } from "./mersenne-twister.ts";
import { murmurHash64 } from "./murmur-hash.ts";
import { xxHash64 } from "./xx-hash.ts";

const mask = (1n << 64n) - 1n;
const toBigInt = (hash: Hash64) => BigInt(`0x${formatHash(hash)}`);
const fromBigInt = (value: bigint): Hash64 => ({
  hi: Number(value >> 32n) | 0,
  lo: Number(value & 0xffffffffn) | 0,
});
const rotate = (value: bigint, bits: bigint) => ((value << bits) | (value >> (64n - bits))) & mask;

/** Written from the specification, with BigInt. */
function referenceXxHash(bytes: Buffer, seed: bigint): bigint {
  const p1 = 0x9e3779b185ebca87n;
  const p2 = 0xc2b2ae3d27d4eb4fn;
  const p3 = 0x165667b19e3779f9n;
  const p4 = 0x85ebca77c2b2ae63n;
  const p5 = 0x27d4eb2f165667c5n;
  const round = (acc: bigint, input: bigint) => (rotate((acc + input * p2) & mask, 31n) * p1) & mask;
  let at = 0;
  let hash = (seed + p5) & mask;
  if (bytes.length >= 32) {
    const lanes = [seed + p1 + p2, seed + p2, seed, seed - p1].map((lane) => lane & mask);
    for (; at + 32 <= bytes.length; at += 32) {
      lanes.forEach((lane, i) => {
        lanes[i] = round(lane, bytes.readBigUInt64LE(at + 8 * i));
      });
    }
    const [a, b, c, d] = lanes as [bigint, bigint, bigint, bigint];
    hash = (rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n)) & mask;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * p1 + p4) & mask;
  }
  hash = (hash + BigInt(bytes.length)) & mask;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * p1 + p4) & mask;
  }
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * p1) & mask), 23n) * p2 + p3) & mask;
    at += 4;
  }
  for (; at < bytes.length; at++) hash = (rotate(hash ^ ((BigInt(bytes[at]!) * p5) & mask), 11n) * p1) & mask;
  hash = ((hash ^ (hash >> 33n)) * p2) & mask;
  hash = ((hash ^ (hash >> 29n)) * p3) & mask;
  return hash ^ (hash >> 32n);
}

function referenceMurmur(bytes: Buffer): bigint {
  const m = 0xc6a4a7935bd1e995n;
  let hash = 0xc70f6907n ^ ((BigInt(bytes.length) * m) & mask);
  const mix = (value: bigint) => {
    const first = (value * m) & mask;
    return ((first ^ (first >> 47n)) * m) & mask;
  };
  const whole = bytes.length & ~7;
  for (let at = 0; at < whole; at += 8) hash = ((hash ^ mix(bytes.readBigUInt64LE(at))) * m) & mask;
  if (bytes.length > whole) {
    const rest = Buffer.alloc(8);
    bytes.copy(rest, 0, whole);
    hash = ((hash ^ rest.readBigUInt64LE()) * m) & mask;
  }
  hash = ((hash ^ (hash >> 47n)) * m) & mask;
  return hash ^ (hash >> 47n);
}

describe("xxHash64", () => {
  for (const [text, expected] of [
    ["", "ef46db3751d8e999"],
    ["a", "d24ec4f1a98c6e5b"],
    ["abc", "44bc2cf5ad770999"],
    ["xxhash", "32dd38952c4bc720"],
    ["Call me Ishmael. Some years ago--never mind how long precisely-", "02a2e85470d6fd96"],
  ] as const) {
    it(`of ${JSON.stringify(text)} is ${expected}`, () => assert.equal(formatHash(xxHash64(text)), expected));
  }

  it("is the specification's for every input and seed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.bigInt({ min: 0n, max: mask }), (array, seed) => {
        const bytes = Buffer.from(array);
        const hash = xxHash64(bytes.toString("latin1"), fromBigInt(seed));
        assert.equal(toBigInt(hash), referenceXxHash(bytes, seed));
      }),
    );
  });
});

describe("murmurHash64", () => {
  it("is libstdc++'s for every input", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (array) => {
        const bytes = Buffer.from(array);
        assert.equal(toBigInt(murmurHash64(bytes.toString("latin1"))), referenceMurmur(bytes));
      }),
    );
  });
});

describe("64-bit hashes", () => {
  const anyHash = fc.bigInt({ min: 0n, max: mask });

  it("have the remainder of the number they stand for", () => {
    fc.assert(
      fc.property(anyHash, fc.integer({ min: 1, max: 5_000_011 }), (value, divisor) => {
        assert.equal(BigInt(remainder(fromBigInt(value), divisor)), value % BigInt(divisor));
      }),
    );
  });

  it("are combined by rotating the earlier one", () => {
    fc.assert(
      fc.property(anyHash, anyHash, (a, b) => {
        assert.equal(toBigInt(combineHashes(fromBigInt(a), fromBigInt(b))), rotate(a, 1n) ^ b);
      }),
    );
  });
});

describe("MersenneTwister", () => {
  it("gives MT19937's published numbers", () => {
    const twister = new MersenneTwister(5489);
    assert.deepEqual([twister.next(), twister.next(), twister.next()], [3499211612, 581869302, 3890346734]);
    // The standard's own check: the 10,000th number of the default seed.
    for (let i = 4; i < 10_000; i++) twister.next();
    assert.equal(twister.next(), 4123659995);
  });
});
