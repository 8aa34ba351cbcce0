import fc from "fast-check";

type Edit = (bytes: Buffer) => Buffer;

const position = fc.nat(1 << 16);

/** Inputs near the seeds: bits flipped, pieces taken out, doubled, moved, put in, and seeds joined. */
export function mutated(seeds: readonly Buffer[], tokens: readonly string[]): fc.Arbitrary<Buffer> {
  const pieces = tokens.map((token) => Buffer.from(token, "latin1"));
  const flip = fc.tuple(position, fc.nat(7)).map(
    ([at, bit]): Edit =>
      (bytes) => {
        if (bytes.length === 0) return bytes;
        const copy = Buffer.from(bytes);
        copy[at % copy.length]! ^= 1 << bit;
        return copy;
      },
  );
  const put = (what: fc.Arbitrary<Buffer>) =>
    fc.tuple(position, what).map(
      ([at, piece]): Edit =>
        (bytes) => {
          const where = at % (bytes.length + 1);
          return Buffer.concat([bytes.subarray(0, where), piece, bytes.subarray(where)]);
        },
    );
  const range = fc.tuple(position, fc.nat(64));
  const remove = range.map(
    ([at, length]): Edit =>
      (bytes) => {
        const where = at % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, where), bytes.subarray(where + length)]);
      },
  );
  const double = range.map(
    ([at, length]): Edit =>
      (bytes) => {
        const where = at % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, where + length), bytes.subarray(where)]);
      },
  );
  const cut = position.map(
    (at): Edit =>
      (bytes) =>
        bytes.subarray(0, at % (bytes.length + 1)),
  );
  const seed = fc.constantFrom(...seeds);
  const garbage = fc.uint8Array({ maxLength: 32 }).map((bytes) => Buffer.from(bytes));
  const edit = fc.oneof(
    flip,
    put(fc.constantFrom(...pieces)),
    remove,
    double,
    put(garbage),
    { arbitrary: put(seed), weight: 1 },
    { arbitrary: cut, weight: 1 },
  );
  return fc
    .tuple(seed, fc.array(edit, { maxLength: 6 }))
    .map(([start, edits]) => edits.reduce((bytes, change) => change(bytes), start).subarray(0, 1 << 17));
}
