import assert from "node:assert/strict";
import { BodyDecoder } from "@weft/proxy/http1/body-decoder";
import { Http1ResponseHead, parseResponseHead } from "@weft/proxy/http1/head";
import { HeadReader } from "@weft/proxy/http1/head-reader";
import { loadAreas } from "../../differential/load-areas.ts";
import { type FuzzTarget, split } from "../target.ts";
import { readWithLlhttp } from "./llhttp.ts";

const limits = { maxBytes: 8192, maxCount: 100 };

interface Response {
  readonly status: number;
  readonly fields: readonly string[];
  body: string;
  isComplete: boolean;
}

/** What a cluster's side of HTTP/1 takes the pieces for: the first final answer, or what is wrong. */
function read(pieces: readonly Buffer[]): Response | "broken" | "incomplete" {
  const reader = new HeadReader(limits, false);
  let response: Response | undefined;
  const onEnd = () => {
    response!.isComplete = true;
  };
  const decoder = new BodyDecoder(
    {
      onBodyData: (chunk, end) => {
        response!.body += chunk.toString("latin1");
        if (end) onEnd();
      },
      onBodyTrailers: onEnd,
    },
    limits,
  );
  for (const piece of pieces) {
    let at = 0;
    while (at < piece.length && !response?.isComplete) {
      if (response) {
        at = decoder.decode(piece, at, piece.length);
        if (decoder.hasFailed) return "broken";
        continue;
      }
      const next = reader.read(piece, at, piece.length);
      if (reader.error) return "broken";
      if (next < 0) break;
      at = next;
      const head = parseResponseHead(reader.text, limits);
      if (!(head instanceof Http1ResponseHead)) return "broken";
      if (head.status < 200 && head.status !== 101) continue;
      const isBare = head.status === 101 || head.status === 204 || head.status === 304;
      const hasNoBody = isBare || (head.contentLength === 0 && !head.isChunked);
      response = { status: head.status, fields: head.headers.flat, body: "", isComplete: hasNoBody };
      if (!hasNoBody) decoder.begin(head);
    }
  }
  return response ?? "incomplete";
}

export const http1Responses: FuzzTarget = {
  name: "http1-responses",
  seeds: [
    ...new Set(
      loadAreas()
        .flatMap(({ cases }) => cases.flatMap(({ answers }) => answers))
        .map(({ raw, headers, body }) => {
          const fields = headers.map((line) => `${line}\r\n`).join("");
          return raw ?? `HTTP/1.1 200 OK\r\n${fields}content-length: ${body.length}\r\n\r\n${body}`;
        }),
    ),
  ].map((text) => Buffer.from(text, "latin1")),
  tokens: [
    ..."HTTP/1.1 200 OK\r\n|HTTP/1.1 100 Continue\r\n\r\n|HTTP/1.0 |content-length: 3\r\n|transfer-encoding: chunked\r\n".split(
      "|",
    ),
    ..."\r\n|\n|\r|3\r\nabc\r\n|0\r\n\r\n|a: b\r\n| c\r\n|\0|\t|connection: close\r\n|upgrade: x\r\n|204|304|101|:|,|\xff".split(
      "|",
    ),
  ],
  check(input, cuts) {
    const whole = read([input]);
    const cut = read(split(input, cuts));
    if (whole !== "broken" && cut !== "broken") assert.deepEqual(cut, whole);
    if (typeof whole === "string" || !whole.isComplete) return;
    const theirs = readWithLlhttp("response", input)?.find(({ status }) => status >= 200 || status === 101);
    if (!theirs) return;
    assert.equal(whole.status, theirs.status);
    assert.equal(whole.body, theirs.body);
  },
};
