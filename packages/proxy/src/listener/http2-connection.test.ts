import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { clientPreface, Flag, FrameType } from "../http2/frames.ts";
import { defaultHttp2Plan } from "../http2/http2-plan.ts";
import { block, type FrameClient, frame, request, settings, words } from "./test-frame-client.ts";
import { call, closeAfter, closeAll, direct, frameClient, session, startProxy } from "./test-http2-proxy.ts";
import {
  chainPlan,
  clusterPlan,
  forwardTo,
  httpPlan,
  listenerPlan,
  routesTo,
  startTestProxy,
} from "./test-proxy.ts";
import { RawClient, startServer } from "./test-raw-client.ts";

afterEach(closeAll);

const { EndHeaders, EndStream, Padded } = Flag;
const { Continuation, Data, Headers, Ping, RstStream, Settings, WindowUpdate } = FrameType;
const whole = EndHeaders | EndStream;

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
    closeAfter(() => old.close());
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
    closeAfter(
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
