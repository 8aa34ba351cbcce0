import assert from "node:assert/strict";
import { BodyDecoder } from "@weft/proxy/http1/body-decoder";
import { Http1RequestHead, parseRequestHead } from "@weft/proxy/http1/head";
import { HeadReader } from "@weft/proxy/http1/head-reader";
import { loadAreas } from "../../differential/load-areas.ts";
import { type FuzzTarget, split } from "../target.ts";
import { readWithLlhttp } from "./llhttp.ts";

const limits = { maxBytes: 8192, maxCount: 100 };

interface Request {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly string[];
  body: string;
  isComplete: boolean;
}

interface Reading {
  readonly requests: readonly Request[];
  readonly isBroken: boolean;
}

/** What the listener's side of HTTP/1 takes the pieces for, up to the first error or another protocol. */
function read(pieces: readonly Buffer[]): Reading {
  const requests: Request[] = [];
  const reader = new HeadReader(limits, true);
  const onEnd = () => {
    requests.at(-1)!.isComplete = true;
  };
  const decoder = new BodyDecoder(
    {
      onBodyData: (chunk, end) => {
        requests.at(-1)!.body += chunk.toString("latin1");
        if (end) onEnd();
      },
      onBodyTrailers: onEnd,
    },
    limits,
  );
  for (const piece of pieces) {
    let at = 0;
    while (at < piece.length) {
      if (!decoder.isDone) {
        at = decoder.decode(piece, at, piece.length);
        if (decoder.hasFailed) return { requests, isBroken: true };
        continue;
      }
      const next = reader.read(piece, at, piece.length);
      if (reader.error) return { requests, isBroken: true };
      if (next < 0) break;
      assert.ok(next > at || at === 0, "a head consumes bytes");
      at = next;
      const head = parseRequestHead(reader.text, limits);
      if (!(head instanceof Http1RequestHead)) return { requests, isBroken: true };
      const hasBody = head.isChunked || head.contentLength > 0;
      requests.push({
        method: head.method,
        path: head.path,
        fields: head.headers.flat,
        body: "",
        isComplete: !hasBody,
      });
      if (hasBody) decoder.begin(head);
      else if (head.upgrade !== "") return { requests, isBroken: false };
    }
  }
  return { requests, isBroken: false };
}

/** What is read here of a request nobody doubts, Node reads as well: two readers on a way must not differ. */
function compareWithLlhttp(input: Buffer, ours: Reading): void {
  if (ours.isBroken || ours.requests.some(({ isComplete, method }) => !isComplete || method === "CONNECT"))
    return;
  const theirs = readWithLlhttp("request", input);
  // Node knows fewer methods, and stops after `close` and before another protocol.
  if (!theirs || theirs.length !== ours.requests.length) return;
  ours.requests.forEach((request, i) => {
    const other = theirs[i]!;
    if (other.method !== "") assert.equal(request.method, other.method);
    assert.equal(request.body, other.body);
    if (other.url.startsWith("/")) assert.equal(request.path, other.url);
    const said = new Set(other.fields.map(([name, value]) => `${name}: ${value}`));
    for (let at = 0; at < request.fields.length; at += 2) {
      const name = request.fields[at]!;
      if (name !== "te")
        assert.ok(said.has(`${name}: ${request.fields[at + 1]}`), `${name} is read in one way`);
    }
  });
}

export const http1Requests: FuzzTarget = {
  name: "http1-requests",
  seeds: loadAreas()
    .flatMap(({ cases }) => cases)
    .filter(({ http2 }) => !http2)
    .map(({ pieces }) => Buffer.from(pieces.join(""), "latin1"))
    .filter(({ length }) => length < 4096),
  tokens: [
    ..."GET / HTTP/1.1\r\n|host: x\r\n|content-length: 3\r\n|transfer-encoding: chunked\r\n|\r\n|\n|\r|3\r\nabc\r\n".split(
      "|",
    ),
    ...'0\r\n\r\n|a: b\r\n| c\r\n|\0|\t|connection: close\r\n|connection: upgrade\r\n|upgrade: websocket\r\n|;ext="|POST '.split(
      "|",
    ),
    ..."expect: 100-continue\r\n|HTTP/1.0|http://x/|*|%00|ffffffffffffffff|-1|+3|0x3|\x7f|\xff|:|,".split(
      "|",
    ),
  ],
  check(input, cuts) {
    const whole = read([input]);
    const cut = read(split(input, cuts));
    // Where a stream is broken may be seen earlier or later; requests complete before that are the same.
    if (!whole.isBroken && !cut.isBroken) assert.deepEqual(cut, whole);
    else {
      const complete = ({ requests }: Reading) => requests.filter(({ isComplete }) => isComplete);
      const [a, b] = [complete(whole), complete(cut)];
      const count = Math.min(a.length, b.length);
      assert.deepEqual(b.slice(0, count), a.slice(0, count));
    }
    compareWithLlhttp(input, whole);
  },
};
