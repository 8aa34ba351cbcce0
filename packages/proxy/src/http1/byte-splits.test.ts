import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "@weft/testkit/properties";
import { BodyDecoder } from "./body-decoder.ts";
import { Http1RequestHead, parseRequestHead } from "./head.ts";
import { HeadReader } from "./head-reader.ts";

const limits = { maxBytes: 8192, maxCount: 100 };

/** What the bytes were taken for, as text that can be compared. */
function transcript(pieces: readonly Buffer[]): string {
  const events: string[] = [];
  const reader = new HeadReader(limits, true);
  const decoder = new BodyDecoder(
    {
      onBodyData: (chunk, end) => events.push(`${chunk.toString("latin1")}${end ? "<end>" : ""}`),
      onBodyTrailers: (trailers) => events.push(`<trailers ${trailers.flat.join()}>`),
    },
    limits,
  );
  let isBroken = false;
  for (const piece of pieces) {
    let at = 0;
    while (at < piece.length && !isBroken) {
      if (!decoder.isDone) {
        at = decoder.decode(piece, at, piece.length);
        isBroken = decoder.hasFailed;
        continue;
      }
      const next = reader.read(piece, at, piece.length);
      if (reader.error) isBroken = true;
      if (next < 0) break;
      at = next;
      const head = parseRequestHead(reader.text, limits);
      if (!(head instanceof Http1RequestHead)) {
        isBroken = true;
        break;
      }
      events.push(`<${head.method} ${head.path} ${head.headers.flat.join()}>`);
      if (head.isChunked || head.contentLength > 0) decoder.begin(head);
    }
    if (isBroken) break;
  }
  return events.join("") + (isBroken ? "<broken>" : "");
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let start = 0;
  for (const cut of [...at, bytes.length]) {
    if (cut > start) pieces.push(bytes.subarray(start, cut));
    start = Math.max(start, cut);
  }
  return pieces;
}

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/).map((text) => `x-${text}`);
const value = fc.stringMatching(/^[!-~]{0,20}$/);
const field = fc.tuple(name, value).map(([n, v]) => `${n}: ${v}\r\n`);
const body = fc.stringMatching(/^[ -~]{0,60}$/);
const chunk = fc
  .stringMatching(/^[ -~]{1,20}$/)
  .map((text) => `${text.length.toString(16)};ext\r\n${text}\r\n`);
const request = fc
  .tuple(
    fc.array(field, { maxLength: 5 }),
    fc.oneof(
      body.map((text) => `content-length: ${text.length}\r\n\r\n${text}`),
      fc
        .tuple(fc.array(chunk, { maxLength: 4 }), fc.array(field, { maxLength: 2 }))
        .map(
          ([chunks, trailers]) =>
            `transfer-encoding: chunked\r\n\r\n${chunks.join("")}0\r\n${trailers.join("")}\r\n`,
        ),
      fc.constant("\r\n"),
    ),
  )
  .map(([fields, rest]) => `POST /p HTTP/1.1\r\nhost: h\r\n${fields.join("")}${rest}`);

describe("a byte stream", () => {
  it("means the same however it is cut", () => {
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (requests, cuts) => {
          const bytes = Buffer.from(requests.join(""), "latin1");
          assert.equal(transcript(split(bytes, cuts)), transcript([bytes]));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("means the same byte by byte when it is garbage", () => {
    const part = fc.constantFrom(
      "GET / HTTP/1.1\r\n",
      "host: x\r\n",
      "content-length: 3\r\n",
      "transfer-encoding: chunked\r\n",
      "\r\n",
      "\n",
      "\r",
      "3\r\nabc\r\n",
      "0\r\n",
      "a: b\r\n",
      " c\r\n",
      "abc",
      "\0",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 20 }), (parts, cuts) => {
        const bytes = Buffer.from(parts.join(""), "latin1");
        const whole = transcript([bytes]);
        const cut = transcript(split(bytes, cuts));
        // Where a stream is broken may be seen earlier or later, what came before it may not differ.
        const length = Math.min(whole.length, cut.length) - "<broken>".length;
        if (length > 0) assert.equal(cut.slice(0, length), whole.slice(0, length));
        if (!whole.includes("<broken>") && !cut.includes("<broken>")) assert.equal(cut, whole);
      }),
      { numRuns: 500 },
    );
  });
});
