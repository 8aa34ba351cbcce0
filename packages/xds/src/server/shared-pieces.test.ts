import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { XdsResource } from "../snapshot.ts";
import { SharedPieces } from "./shared-pieces.ts";

const encode = ({ body }: XdsResource) => body;

function resources(count: number, prefix = "r"): XdsResource[] {
  return Array.from({ length: count }, (_, i) => {
    const name = `${prefix}${i}`;
    return { name, version: name, body: Buffer.from(`${name};`) };
  });
}

function text(pieces: readonly Uint8Array[]): string {
  return Buffer.concat(pieces).toString();
}

describe("SharedPieces", () => {
  it("gives clients with the same resources the same bytes, and all but the end to one with something of its own", () => {
    const shared = new SharedPieces(1 << 20);
    const common = resources(200);
    const first = shared.of(common, encode);
    const second = shared.of(common, encode);
    const withOwn = shared.of([...common, ...resources(1, "own")], encode);
    assert.equal(text(first), text(common.map(encode)));
    assert.equal(first.length, 4);
    for (const [i, piece] of second.entries()) assert.equal(piece, first[i]);
    for (let i = 0; i < 3; i += 1) assert.equal(withOwn[i], first[i]);
    assert.equal(text(withOwn), `${text(first)}own0;`);
  });

  it("tells runs apart that only begin and end alike", () => {
    const shared = new SharedPieces(1 << 20);
    const a = resources(10);
    const b = a.with(5, resources(1, "other")[0]!);
    for (const list of [a, b, a, b]) assert.equal(text(shared.of(list, encode)), text(list.map(encode)));
  });

  it("stays right when it may hold nothing", () => {
    const shared = new SharedPieces(0);
    const list = resources(100);
    const first = shared.of(list, encode);
    const second = shared.of(list, encode);
    assert.equal(text(second), text(list.map(encode)));
    assert.notEqual(second[0], first[0]);
  });
});
