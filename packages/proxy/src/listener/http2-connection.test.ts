import assert from "node:assert/strict";
import http from "node:http";
import http2 from "node:http2";
import { afterEach, describe, it } from "node:test";
import tls from "node:tls";
import { FakeClock } from "@weft/testkit/fake-clock";
import { TestCa } from "@weft/testkit/test-ca";
import fc from "fast-check";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import { clientPreface, Flag, FrameType } from "../http2/frames.ts";
import { defaultHttp2Plan } from "../http2/http2-plan.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { HttpConnectionPlan } from "./listener-plan.ts";
import { block, FrameClient, frame, request, settings, words } from "./test-frame-client.ts";
import {
  chainPlan,
  clusterPlan,
  forwardTo,
  httpPlan,
  listenerPlan,
  RawClient,
  routesTo,
  startServer,
  startTestProxy,
} from "./test-proxy.ts";

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const { EndHeaders, EndStream, Padded, Priority } = Flag;
const { Continuation, Data, Goaway, Headers, Ping, RstStream, Settings, WindowUpdate } = FrameType;
const whole = EndHeaders | EndStream;
const direct = (body: string) => routesTo({ kind: "direct-response", status: 200, body: Buffer.from(body) });

async function startProxy(
  plan: Partial<HttpConnectionPlan>,
  options: {
    clock?: FakeClock;
    upstream?: http.RequestListener;
    tls?: boolean;
    clusterPlan?: Partial<ClusterPlan>;
  } = {},
) {
  const logged: Exchange[] = [];
  const log = { log: (exchange: Exchange) => void logged.push(exchange) };
  const terminal = httpPlan({ accessLogs: [log], ...plan });
  const server = http.createServer(options.upstream ?? ((_req, res) => res.end("up")));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const chain = options.tls ? chainPlan(terminal, { tls: tlsPlan() }) : chainPlan(terminal);
  const proxy = await startTestProxy(
    [listenerPlan([chain])],
    [clusterPlan([{ kind: "ip", host: "127.0.0.1", port }], options.clusterPlan)],
    options.clock ? { clock: options.clock } : {},
  );
  closers.push(
    () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
    () => proxy.close(),
  );
  return { proxy, logged };
}

function tlsPlan() {
  const svid = new TestCa().leaf("default", "reviews");
  const current = tls.createSecureContext({ cert: svid.chainPem, key: svid.keyPem });
  return {
    context: { current, generation: 1 },
    requireClientCertificate: false,
    verifiesClients: false,
    alpnProtocols: ["h2", "http/1.1"],
    matchesSan: undefined,
  };
}

function frameClient(port: number): FrameClient {
  const client = new FrameClient(port);
  closers.push(() => client.close());
  return client;
}

function session(url: string): http2.ClientHttp2Session {
  const client = http2.connect(url, { rejectUnauthorized: false });
  client.on("error", () => {});
  closers.push(() => client.destroy());
  return client;
}

async function call(client: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders, body?: Buffer) {
  const stream = client.request(headers, { endStream: body === undefined });
  stream.end(body);
  let head: http2.IncomingHttpHeaders = {};
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on("response", (got) => {
    head = got;
  });
  stream.on("trailers", (got) => {
    trailers = got;
  });
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { head, trailers, body: Buffer.concat(chunks) };
}

describe("an HTTP/2 connection", () => {
  it("carries many requests at once over TLS, and says HTTP/2 in the access log", async () => {
    const { proxy, logged } = await startProxy(
      { routes: routesTo(forwardTo("upstream")) },
      { tls: true, upstream: (req, res) => res.end(req.url) },
    );
    const client = session(`https://127.0.0.1:${proxy.port()}`);
    const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
    const answers = await Promise.all(paths.map((path) => call(client, { ":path": path })));
    assert.deepEqual(
      answers.map(({ body }) => body.toString()),
      paths,
    );
    assert.deepEqual([...new Set(logged.map(({ protocol }) => protocol))], ["HTTP/2"]);
    assert.equal(proxy.metric("envoy_http_downstream_rq_http2_total"), 50);
  });

  it("carries bodies larger than every window both ways, unharmed", async () => {
    const { proxy } = await startProxy(
      { http2: { ...defaultHttp2Plan, streamWindowBytes: 65_535, connectionWindowBytes: 65_535 } },
      { upstream: (req, res) => req.pipe(res) },
    );
    const client = session(`http://127.0.0.1:${proxy.port()}`);
    const body = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * 7) & 0xff));
    const both = await Promise.all([1, 2].map(() => call(client, { ":method": "POST" }, body)));
    for (const answer of both) assert.ok(answer.body.equals(body));
  });

  it("tells HTTP/1.1 from HTTP/2 by the first bytes, however they are cut", async () => {
    const { proxy } = await startProxy({ routes: direct("hi") });
    const client = frameClient(proxy.port());
    client.socket.setNoDelay(true);
    client.send(clientPreface.subarray(0, 3));
    await new Promise((resolve) => setTimeout(resolve, 10));
    client.send(clientPreface.subarray(3), settings, frame(Headers, whole, 1, request()));
    await client.until(/^data 1 end hi$/);
    const old = await RawClient.connect(proxy.port());
    closers.push(() => old.close());
    old.send("P");
    await new Promise((resolve) => setTimeout(resolve, 10));
    old.send("OST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    await old.until(/^HTTP\/1.1 200/);
  });

  it("hands trailers of both sides on", async () => {
    let received: unknown;
    const { proxy } = await startProxy(
      {},
      {
        clusterPlan: { keepsTrailers: true },
        upstream: (req, res) => {
          req.resume().on("end", () => {
            received = req.trailers;
            res.writeHead(200, { trailer: "grpc-status" });
            res.write("ok");
            res.addTrailers({ "grpc-status": "0" });
            res.end();
          });
        },
      },
    );
    const client = frameClient(proxy.port());
    client.open(
      frame(Headers, EndHeaders, 1, request("POST")),
      frame(Data, Padded, 1, "\x03abcpad"),
      frame(Headers, whole, 1, block("x-sum", "7")),
    );
    await client.until(/^headers 1 end grpc-status=0$/);
    assert.deepEqual({ ...(received as object) }, { "x-sum": "7" });
  });

  it("takes a head in pieces, answers PING, and ignores frames it does not know", async () => {
    const { proxy } = await startProxy({ routes: direct("hi") });
    const client = frameClient(proxy.port());
    const head = request("GET", "x-long", "a".repeat(100));
    client.open(
      frame(99, 0, 0, "whatever"),
      frame(Ping, 0, 0, "12345678"),
      frame(Headers, EndStream, 1, head.subarray(0, 20)),
      frame(Continuation, 0, 1, head.subarray(20, 40)),
      frame(Continuation, EndHeaders, 1, head.subarray(40)),
    );
    await client.until(/^data 1 end hi$/);
    assert.equal(client.lines.includes("ping end 3132333435363738"), true);
  });

  it("sends no more than the client's windows allow, and the rest as they open", async () => {
    const { proxy } = await startProxy({ routes: direct("0123456789") });
    const client = frameClient(proxy.port());
    client.send(clientPreface, frame(Settings, 0, 0, Buffer.from("000400000003", "hex")));
    client.send(frame(Headers, whole, 1, request()));
    await client.until(/^data 1 012$/);
    client.send(frame(WindowUpdate, 0, 1, words(4)));
    await client.until(/^data 1 3456$/);
    client.send(frame(Settings, 0, 0, Buffer.from("000400000100", "hex")));
    await client.until(/^data 1 end 789$/);
  });

  it("gives up an answer whose client opens no window", async () => {
    const clock = new FakeClock();
    const { proxy } = await startProxy(
      { routes: direct("0123456789"), streamFlushTimeoutMs: 1000 },
      { clock },
    );
    const client = frameClient(proxy.port());
    client.send(clientPreface, frame(Settings, 0, 0, Buffer.from("000400000003", "hex")));
    client.send(frame(Headers, whole, 1, request()));
    await client.until(/^data 1 012$/);
    await clock.advance(1100);
    await client.until(/^reset 1 Cancel$/);
  });

  it("tells the upstream when a client gives a request up", async () => {
    let reached = () => {};
    const arrived = new Promise<void>((resolve) => {
      reached = resolve;
    });
    let gone = () => {};
    const left = new Promise<void>((resolve) => {
      gone = resolve;
    });
    const { proxy, logged } = await startProxy(
      {},
      {
        upstream: (_req, res) => {
          res.on("close", gone);
          reached();
        },
      },
    );
    const client = frameClient(proxy.port());
    client.open(frame(Headers, whole, 1, request()));
    await arrived;
    client.send(frame(RstStream, 0, 1, words(8)));
    await left;
    assert.equal(logged[0]!.details, "downstream_remote_disconnect");
  });

  it("refuses streams beyond the limit and serves the others", async () => {
    const { proxy } = await startProxy({ http2: { ...defaultHttp2Plan, maxConcurrentStreams: 1 } });
    const client = frameClient(proxy.port());
    client.open(frame(Headers, EndHeaders, 1, request("POST")), frame(Headers, whole, 3, request()));
    await client.until(/^reset 3 RefusedStream$/);
    client.send(frame(Data, EndStream, 1, "x"));
    await client.until(/^data 1 end/);
  });

  it("announces the end, serves what the client had begun, and closes", async () => {
    const { proxy } = await startProxy({ routes: direct("hi"), maxRequestsPerConnection: 1 });
    const client = frameClient(proxy.port());
    client.open(frame(Headers, whole, 1, request()), frame(Headers, whole, 3, request()));
    await client.until(/^goaway 2147483647 NoError$/);
    const ping = await client.until(/^ping /);
    await client.until(/^data 3 end hi$/);
    client.send(frame(Ping, Flag.Ack, 0, Buffer.from(ping.slice(5), "hex")));
    await client.until(/^goaway 3 NoError$/);
    await client.untilClosed();
  });

  it("carries no field of an HTTP/1 connection into an answer", async () => {
    const { proxy } = await startProxy({});
    const client = frameClient(proxy.port());
    client.open(
      frame(Headers, whole, 1, block(":method", "GET", ":scheme", "http", ":path", "/#", ":authority", "x")),
    );
    const head = await client.until(/^headers 1/);
    assert.match(head, /:status=400/);
    assert.doesNotMatch(head, /connection/);
  });
});

const get = frame(Headers, whole, 1, request());
const post = frame(Headers, EndHeaders, 1, request("POST"));
const postOf = (...more: string[]) => frame(Headers, EndHeaders, 1, request("POST", ...more));
const getOf = (...more: string[]) => frame(Headers, whole, 1, request("GET", ...more));
const bare = (...flat: string[]) => frame(Headers, whole, 1, block(...flat));
const repeat = (count: number, one: Buffer) => Buffer.concat(new Array(count).fill(one));

describe("a connection that is asked for signs of life", () => {
  const keepAlive = { intervalMs: 1_000, timeoutMs: 500, jitterPercent: 0 };

  it("stays while it answers, and ends when it does not", async () => {
    const clock = new FakeClock();
    const { proxy } = await startProxy({ http2: { ...defaultHttp2Plan, keepAlive } }, { clock });
    const client = frameClient(proxy.port());
    client.open();
    await client.until(/^window 0/);
    await settled(client);
    await clock.advance(1_000);
    const ping = await client.until(/^ping [0-9a-f]{16}$/);
    client.send(frame(Ping, Flag.Ack, 0, Buffer.from(ping.slice(5), "hex")));
    await settled(client);
    await clock.advance(999);
    assert.equal(client.lines.filter((line) => line === ping).length, 1);
    await clock.advance(1);
    await settled(client);
    assert.equal(client.lines.filter((line) => line === ping).length, 2);
    await clock.advance(500);
    await client.untilClosed();
  });

  /** Once a PING of our own is answered, everything sent before it has been read. */
  async function settled(client: FrameClient): Promise<void> {
    const answers = client.lines.filter((line) => line.startsWith("ping end")).length;
    client.send(frame(Ping, 0, 0, `settle${answers}`.padEnd(8)));
    while (client.lines.filter((line) => line.startsWith("ping end")).length === answers) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
});

describe("extended CONNECT", () => {
  const upgrade = block(
    ...[":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/", ":authority", "x"],
  );
  const upgrades = new Map([["websocket", true]]);
  const http2 = { ...defaultHttp2Plan, allowsConnect: true };

  it("sends nothing of the other protocol before the upstream speaks it", async () => {
    let received = "";
    const upstream = await startServer((socket) =>
      socket.on("data", (chunk) => {
        received += chunk.toString("latin1");
        socket.write("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      }),
    );
    const proxy = await startTestProxy(
      [listenerPlan([chainPlan(httpPlan({ http2, upgrades }))])],
      [clusterPlan([upstream.address])],
    );
    closers.push(
      () => upstream.close(),
      () => proxy.close(),
    );
    const client = frameClient(proxy.port());
    client.open(frame(Headers, EndHeaders, 1, upgrade), frame(Data, 0, 1, "GET /smuggled HTTP/1.1\r\n\r\n"));
    await client.until(/^headers 1 .*:status=403/);
    assert.match(received, /^GET \/ HTTP\/1.1\r\n/);
    assert.doesNotMatch(received, /smuggled/);
  });

  it("is malformed where it is not allowed", async () => {
    const { proxy } = await startProxy({ upgrades });
    const client = frameClient(proxy.port());
    client.open(frame(Headers, EndHeaders, 1, upgrade));
    await client.until(/^goaway \d+ ProtocolError/);
  });
});

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
