import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import zlib from "node:zlib";
import { until } from "@weft/testkit/until";
import type { FilterExchange } from "../layer/filter-exchange.ts";
import { HeaderList } from "../layer/header-list.ts";
import { exchange } from "../telemetry/exchange-fixture.ts";
import { ZlibStage } from "./zlib-stage.ts";

interface Collected {
  readonly chunks: Buffer[];
  trailers: HeaderList | undefined;
  end: number;
}

function collect(stage: ZlibStage): { collected: Collected; done: Promise<void> } {
  const collected: Collected = { chunks: [], trailers: undefined, end: 0 };
  const { promise, resolve } = Promise.withResolvers<void>();
  stage.next = {
    onData(chunk, end) {
      collected.chunks.push(Buffer.from(chunk));
      if (end) {
        collected.end += 1;
        resolve();
      }
    },
    onTrailers(trailers) {
      collected.trailers = trailers;
      resolve();
    },
  };
  return { collected, done: promise };
}

const silent = { onBytes() {}, onFailure() {} };
const gzip = () => zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH });

test("each part comes out before the next goes in, and the trailers last", async () => {
  const stage = new ZlibStage(gzip(), exchange(), "response", silent);
  const { collected, done } = collect(stage);
  stage.onData(Buffer.from("first"), false);
  while (collected.chunks.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 5));
  const soFar = zlib.createGunzip();
  soFar.write(Buffer.concat(collected.chunks));
  const [text] = await new Promise<Buffer[]>((resolve) => soFar.once("data", (chunk) => resolve([chunk])));
  assert.equal(text!.toString(), "first");
  stage.onData(Buffer.from("second"), false);
  stage.onTrailers(new HeaderList(["a", "b"]));
  await done;
  assert.equal(zlib.gunzipSync(Buffer.concat(collected.chunks)).toString(), "firstsecond");
  assert.deepEqual(collected.trailers?.flat, ["a", "b"]);
});

test("a slow reader stops the writer, and nothing is lost", async () => {
  let isWritable = false;
  let pauses = 0;
  const slow = exchange() as FilterExchange & { pauseResponseBody: () => void };
  Object.defineProperty(slow, "isClientWritable", { get: () => isWritable });
  slow.pauseResponseBody = () => {
    pauses += 1;
  };
  slow.resumeResponseBody = () => {
    pauses -= 1;
  };
  const stage = new ZlibStage(gzip(), slow, "response", silent);
  const { collected, done } = collect(stage);
  const body = randomBytes(1_000_000);
  for (let i = 0; i < body.length; i += 10_000) stage.onData(body.subarray(i, i + 10_000), false);
  await until("something has come out", () => collected.chunks.length > 0, { everyMs: 5 });
  assert.equal(pauses, 1, "the writer was asked to stop once");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(collected.chunks.length, 1, "nothing comes out while the reader is full");
  isWritable = true;
  stage.onWritable();
  stage.onData(Buffer.alloc(0), true);
  await done;
  assert.equal(pauses, 0);
  assert.ok(zlib.gunzipSync(Buffer.concat(collected.chunks)).equals(body));
  assert.equal(collected.end, 1);
});

test("a cancelled stage hands nothing on", async () => {
  const stage = new ZlibStage(gzip(), exchange(), "request", silent);
  const { collected } = collect(stage);
  stage.onData(Buffer.from("x"), false);
  stage.cancel();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(collected.chunks.length, 0);
});
