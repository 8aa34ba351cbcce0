import assert from "node:assert/strict";
import { clientPreface } from "@weft/proxy/http2/frames";
import { defaultHttp2Plan } from "@weft/proxy/http2/http2-plan";
import { Http2ServerCodec } from "@weft/proxy/http2/server-codec";
import { HeaderList } from "@weft/proxy/layer/header-list";
import type { RequestHead } from "@weft/proxy/layer/message";
import type { ServerStream } from "@weft/proxy/layer/stream";
import type { Connection } from "@weft/proxy/net/connection";
import { Timers } from "@weft/proxy/net/timers";
import { FakeClock } from "@weft/testkit/fake-clock";
import { type FuzzTarget, split } from "../target.ts";
import { frameSeeds, frameTokens } from "./http2-frames.ts";

const limits = { maxBytes: 8192, maxCount: 100 };
const plan = { ...defaultHttp2Plan, maxConcurrentStreams: 10, allowsConnect: true };

/** A connection that takes all that is written, and remembers whether it was closed. */
class FakeConnection {
  isOpen = true;
  readonly isWritable = true;
  readonly unsentBytes = 0;
  readonly written: Buffer[] = [];

  write(bytes: Uint8Array): void {
    if (this.isOpen) this.written.push(Buffer.from(bytes));
  }

  closeGracefully(): void {
    this.isOpen = false;
  }

  destroy(): void {
    this.isOpen = false;
  }
}

/** Serves what the pieces ask for; every request is echoed. The bytes answered, and what was asked. */
function serve(pieces: readonly Buffer[]): { readonly written: string; readonly asked: string } {
  const connection = new FakeConnection();
  const asked: string[] = [];
  let active = 0;
  const codec = new Http2ServerCodec(
    connection as unknown as Connection,
    {
      plan,
      limits,
      isTls: false,
      underscores: "allow",
      proxies100: false,
      timers: new Timers(new FakeClock()),
      flushTimeoutMs: 0,
    },
    {
      onRequest(stream: ServerStream, head: RequestHead, end: boolean) {
        active += 1;
        assert.ok(active <= plan.maxConcurrentStreams, "no more streams than are allowed");
        assert.match(head.method, /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/);
        for (const text of head.headers.flat) assert.doesNotMatch(text, /[\r\n\0]/);
        asked.push(`${head.method} ${head.path} ${head.authority} ${head.headers.flat.join()}`);
        let isOver = false;
        const over = () => {
          if (!isOver) active -= 1;
          isOver = true;
        };
        const answer = { status: 200, headers: new HeaderList(["x-a", "b"]) };
        stream.receiver = {
          onRequestData(chunk, isEnd) {
            assert.ok(!isOver, "nothing follows the end of a stream");
            if (isEnd) over();
            stream.respondData(chunk, isEnd);
          },
          onRequestTrailers(trailers) {
            assert.ok(!isOver, "nothing follows the end of a stream");
            over();
            stream.respondTrailers(trailers);
          },
          onRequestReset: over,
          onResponseWritable() {},
        };
        if (end) over();
        stream.respondHead(answer, end);
      },
      onAnswer() {},
      onHeadStarted() {},
      onIdle() {},
      onProtocolError() {},
      onConnectionClosed() {},
    },
  );
  for (const piece of [clientPreface, ...pieces]) if (connection.isOpen) codec.onRead(piece, 0, piece.length);
  codec.onClosed({ kind: "remote" });
  assert.equal(active, 0, "every stream ends with its connection");
  return { written: Buffer.concat(connection.written).toString("hex"), asked: asked.join("\n") };
}

export const http2Server: FuzzTarget = {
  name: "http2-server",
  seeds: frameSeeds,
  tokens: frameTokens,
  check(input, cuts) {
    const whole = serve([input]);
    assert.equal(serve(split(input, cuts)).asked, whole.asked);
  },
};
