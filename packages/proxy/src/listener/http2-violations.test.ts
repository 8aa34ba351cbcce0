import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import fc from "@weft/testkit/properties";
import { clientPreface, Flag, FrameType } from "../http2/frames.ts";
import { defaultHttp2Plan } from "../http2/http2-plan.ts";
import { block, FrameClient, frame, request, settings, words } from "./test-frame-client.ts";
import { closeAll, direct, frameClient, startProxy } from "./test-http2-proxy.ts";

afterEach(closeAll);

const { EndHeaders, EndStream, Padded, Priority } = Flag;
const { Continuation, Data, Goaway, Headers, Ping, RstStream, Settings, WindowUpdate } = FrameType;
const whole = EndHeaders | EndStream;

const get = frame(Headers, whole, 1, request());
const post = frame(Headers, EndHeaders, 1, request("POST"));
const postOf = (...more: string[]) => frame(Headers, EndHeaders, 1, request("POST", ...more));
const getOf = (...more: string[]) => frame(Headers, whole, 1, request("GET", ...more));
const bare = (...flat: string[]) => frame(Headers, whole, 1, block(...flat));
const repeat = (count: number, one: Buffer) => Buffer.concat(new Array(count).fill(one));

describe("a client that breaks HTTP/2 has its connection closed", () => {
  const cases: [what: string, code: string, ...frames: Buffer[]][] = [
    ["a stream of even number", "ProtocolError", frame(Headers, whole, 2, request())],
    ["data for a stream never opened", "ProtocolError", frame(Data, 0, 1, "x")],
    ["a frame longer than 16,384", "FrameSizeError", frame(Data, 0, 1, Buffer.alloc(16_385))],
    ["padding longer than its frame", "ProtocolError", post, frame(Data, Padded, 1, "\x05abc")],
    ["another frame inside a head", "ProtocolError", frame(Headers, 0, 1, request()), settings],
    ["a continuation of nothing", "ProtocolError", frame(Continuation, EndHeaders, 1, request())],
    ["a promise", "ProtocolError", frame(FrameType.PushPromise, EndHeaders, 1, words(2))],
    ["PING of seven octets", "FrameSizeError", frame(Ping, 0, 0, "1234567")],
    ["SETTINGS of five octets", "FrameSizeError", frame(Settings, 0, 0, "12345")],
    ["a window above 2^31-1", "FlowControlError", frame(WindowUpdate, 0, 0, words(0x7fffffff))],
    ["a window opened by nothing", "ProtocolError", frame(WindowUpdate, 0, 0, words(0))],
    [
      "an initial window above 2^31-1",
      "FlowControlError",
      frame(Settings, 0, 0, Buffer.from("000480000000", "hex")),
    ],
    ["GOAWAY on a stream", "ProtocolError", frame(Goaway, 0, 1, words(0, 0))],
    ["a broken header block", "CompressionError", frame(Headers, whole, 1, Buffer.from([0x80]))],
    ["a name in upper case", "ProtocolError", getOf("X-Upper", "1")],
    ["a name that is no token", "ProtocolError", getOf("a b", "1")],
    ["a value with a line break", "ProtocolError", getOf("x-a", "1\r\nx-b: 2")],
    ["a value that begins with a blank", "ProtocolError", getOf("x-a", " 1")],
    ["two content-lengths", "ProtocolError", postOf("content-length", "1", "content-length", "1")],
    ["a body longer than announced", "ProtocolError", postOf("content-length", "1"), frame(Data, 0, 1, "ab")],
    [
      "a body shorter than announced",
      "ProtocolError",
      postOf("content-length", "3"),
      frame(Data, 1, 1, "ab"),
    ],
    ["no body where one was announced", "ProtocolError", getOf("content-length", "3")],
    ["TE other than trailers", "ProtocolError", getOf("te", "gzip")],
    ["host and authority that differ", "ProtocolError", getOf("host", "y")],
    [
      "an unknown pseudo-header",
      "ProtocolError",
      bare(":method", "GET", ":scheme", "http", ":path", "/", ":x", "1"),
    ],
    [
      "a pseudo-header after others",
      "ProtocolError",
      bare(":method", "GET", ":scheme", "http", "a", "b", ":path", "/"),
    ],
    ["two paths", "ProtocolError", bare(":method", "GET", ":scheme", "http", ":path", "/", ":path", "/")],
    ["a path with a blank", "ProtocolError", bare(":method", "GET", ":scheme", "http", ":path", "/ x")],
    [
      "a path that is a URL",
      "ProtocolError",
      bare(":method", "GET", ":scheme", "http", ":path", "http://x/"),
    ],
    ["no method", "ProtocolError", bare(":scheme", "http", ":path", "/")],
    [
      "trailers that do not end the request",
      "ProtocolError",
      post,
      frame(Headers, EndHeaders, 1, block("a", "b")),
    ],
    ["trailers with a pseudo-header", "ProtocolError", post, frame(Headers, whole, 1, block(":path", "/"))],
    ["many empty frames", "EnhanceYourCalm", post, repeat(2, frame(Data, 0, 1))],
    ["many PINGs", "EnhanceYourCalm", repeat(3000, frame(Ping, 0, 0, "12345678"))],
    ["many SETTINGS", "EnhanceYourCalm", repeat(3000, settings)],
    [
      "many PRIORITY frames",
      "EnhanceYourCalm",
      repeat(101, frame(FrameType.Priority, 0, 1, Buffer.alloc(5))),
    ],
    ["many window updates", "EnhanceYourCalm", repeat(6, frame(WindowUpdate, 0, 0, words(1)))],
    [
      "a head that never ends",
      "EnhanceYourCalm",
      frame(Headers, 0, 1, request()),
      repeat(6, frame(Continuation, 0, 1, Buffer.alloc(16_000))),
    ],
    [
      "requests reset at once, again and again",
      "EnhanceYourCalm",
      ...Array.from({ length: 250 }, (_, i) => [
        frame(Headers, EndHeaders, i * 2 + 1, request("POST")),
        frame(RstStream, 0, i * 2 + 1, words(8)),
      ]).flat(),
    ],
    [
      "requests broken at once so that they are reset here",
      "EnhanceYourCalm",
      ...Array.from({ length: 250 }, (_, i) => [
        frame(Headers, EndHeaders, i * 2 + 1, request("POST")),
        frame(WindowUpdate, 0, i * 2 + 1, words(0)),
      ]).flat(),
    ],
  ];
  for (const [what, code, ...frames] of cases) {
    it(what, async () => {
      // The upstream never answers, so that nothing is over before the violation.
      const { proxy } = await startProxy({}, { upstream: () => {} });
      const client = frameClient(proxy.port());
      client.open(...frames);
      await client.until(new RegExp(`^goaway \\d+ ${code}$`));
      await client.untilClosed();
      assert.equal(proxy.metric("envoy_http_downstream_cx_protocol_error"), 1);
    });
  }

  it("anything but SETTINGS after the preface", async () => {
    const { proxy } = await startProxy({});
    const client = frameClient(proxy.port());
    client.send(clientPreface, get);
    await client.until(/^goaway 0 ProtocolError$/);
  });
});

describe("a client that breaks one stream loses that stream only", () => {
  const padded = Buffer.concat([words(1), Buffer.from([0])]);
  const cases: [what: string, code: string, ...frames: Buffer[]][] = [
    ["data after its end", "StreamClosed", get, frame(Data, 0, 1, "x")],
    ["a window opened by nothing", "ProtocolError", get, frame(WindowUpdate, 0, 1, words(0))],
    ["a window above 2^31-1", "FlowControlError", get, frame(WindowUpdate, 0, 1, words(0x7fffffff))],
    [
      "a stream that is its own parent",
      "ProtocolError",
      frame(Headers, whole | Priority, 1, Buffer.concat([padded, request()])),
    ],
    ["a head over the limits", "InternalError", ...largeHead()],
  ];
  for (const [what, code, ...frames] of cases) {
    it(what, async () => {
      const { proxy } = await startProxy(
        {},
        { upstream: (req, res) => void (req.url === "/ok" && res.end("fine")) },
      );
      const client = frameClient(proxy.port());
      client.open(...frames);
      await client.until(new RegExp(`^reset 1 ${code}$`));
      client.send(
        frame(
          Headers,
          whole,
          3,
          block(":method", "GET", ":scheme", "http", ":path", "/ok", ":authority", "x"),
        ),
      );
      await client.until(/^data 3 .*fine/);
    });
  }

  it("a malformed request, where the configuration says so", async () => {
    const { proxy } = await startProxy({
      routes: direct("hi"),
      http2: { ...defaultHttp2Plan, keepsConnectionOnBadMessage: true },
    });
    const client = frameClient(proxy.port());
    client.open(getOf("te", "gzip"), frame(Headers, whole, 3, request()));
    await client.until(/^reset 1 ProtocolError$/);
    await client.until(/^data 3 end hi$/);
  });
});

function largeHead(): Buffer[] {
  const head = request("GET", "x-large", "a".repeat(62_000));
  return [
    frame(Headers, EndStream, 1, head.subarray(0, 16_000)),
    ...[1, 2, 3].map((i) =>
      frame(
        Continuation,
        i === 3 ? EndHeaders : 0,
        1,
        head.subarray(i * 16_000, i === 3 ? undefined : (i + 1) * 16_000),
      ),
    ),
  ];
}

describe("whatever arrives", () => {
  it("is answered or refused, and other connections are served", async () => {
    const { proxy } = await startProxy({ routes: direct("hi") });
    const anyFrame = fc
      .tuple(
        fc.integer({ min: 0, max: 10 }),
        fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2d, 0xff),
        fc.constantFrom(0, 1, 2, 3, 5),
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
          fc.constant(request()),
        ),
      )
      .map(([type, flags, id, payload]) => frame(type, flags, id, payload));
    await fc.assert(
      fc.asyncProperty(fc.array(anyFrame, { maxLength: 12 }), async (frames) => {
        const client = new FrameClient(proxy.port());
        client.open(...frames);
        client.socket.end();
        await client.untilClosed();
      }),
      { numRuns: 200 },
    );
    const last = frameClient(proxy.port());
    last.open(get);
    await last.until(/^data 1 end hi$/);
  });
});
