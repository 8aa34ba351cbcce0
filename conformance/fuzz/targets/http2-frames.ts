import assert from "node:assert/strict";
import { FrameReader, type FrameSink } from "@weft/proxy/http2/frame-reader";
import { block, frame, request, settings, words } from "@weft/proxy/listener/test-frame-client";
import { type FuzzTarget, split } from "../target.ts";

/** What the reader finds, data joined. */
function read(pieces: readonly Buffer[]): string {
  const events: string[] = [];
  let data = "";
  let isDead = false;
  const sink: FrameSink = {
    onFrame: (type, flags, id, bytes, start, end) =>
      events.push(`${type} ${flags} ${id} ${bytes.toString("hex", start, end)}`),
    onDataFrame: (id, flags, length) => {
      events.push(`data ${id} ${flags} ${length}`);
      data = "";
    },
    onDataPiece: (bytes, start, end, isLast) => {
      data += bytes.toString("hex", start, end);
      if (isLast) events.push(data);
    },
    onOversizedFrame: () => {
      events.push("oversized");
      isDead = true;
    },
    onBadPadding: () => {
      events.push("bad padding");
      isDead = true;
    },
  };
  const reader = new FrameReader(sink);
  for (const piece of pieces) {
    reader.read(piece, 0, piece.length);
    if (isDead) break;
  }
  return events
    .slice(0, events.findIndex((event) => /^(oversized|bad padding)$/.test(event)) + 1 || undefined)
    .join("\n");
}

export const frameSeeds: readonly Buffer[] = [
  settings,
  Buffer.concat([settings, frame(1, 0x5, 1, request())]),
  Buffer.concat([settings, frame(1, 0x4, 1, request("POST")), frame(0, 0, 1, "hello"), frame(0, 1, 1, "")]),
  Buffer.concat([settings, frame(1, 0x4, 1, request("POST")), frame(0, 0x9, 1, "\x03hi\0\0\0")]),
  Buffer.concat([settings, frame(1, 0x25, 1, Buffer.concat([words(3), Buffer.from([16]), request()]))]),
  Buffer.concat([
    settings,
    frame(1, 0x1, 1, request().subarray(0, 4)),
    frame(9, 0x4, 1, request().subarray(4)),
  ]),
  Buffer.concat([settings, frame(1, 0x4, 1, request("POST")), frame(1, 0x5, 1, block("x-a", "b"))]),
  Buffer.concat([
    settings,
    frame(8, 0, 0, words(1000)),
    frame(6, 0, 0, "12345678"),
    frame(6, 1, 0, "12345678"),
  ]),
  Buffer.concat([
    settings,
    frame(1, 0x5, 1, request()),
    frame(3, 0, 1, words(8)),
    frame(7, 0, 0, words(0, 0)),
  ]),
  Buffer.concat([
    frame(4, 0, 0, Buffer.from("000100000000000400000001000500004000", "hex")),
    frame(1, 0x5, 1, request()),
  ]),
  Buffer.concat([
    settings,
    frame(2, 0, 1, Buffer.concat([words(0), Buffer.from([1])])),
    frame(5, 0, 1, words(2)),
  ]),
];

export const frameTokens: readonly string[] = [
  settings,
  frame(1, 0x5, 3, request()),
  frame(0, 1, 1, "x"),
  frame(3, 0, 1, words(0)),
  frame(8, 0, 1, words(0x7fffffff)),
  frame(4, 1, 0, ""),
  frame(9, 4, 1, ""),
  words(0x7fffffff),
  Buffer.from([0, 0, 0]),
  Buffer.from([0xff]),
].map((bytes) => bytes.toString("latin1"));

export const http2Frames: FuzzTarget = {
  name: "http2-frames",
  seeds: frameSeeds,
  tokens: frameTokens,
  check(input, cuts) {
    assert.equal(read(split(input, cuts)), read([input]));
  },
};
