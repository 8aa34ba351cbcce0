import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import type { Socket } from "node:net";
import { afterEach, test } from "node:test";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import { block, frame } from "../listener/test-frame-client.ts";
import {
  chainPlan,
  clusterPlan,
  httpPlan,
  listenerPlan,
  startTestProxy,
  type TestProxy,
} from "../listener/test-proxy.ts";
import { RawClient, startServer } from "../listener/test-raw-client.ts";
import { ErrorCode, Flag, FrameType, settingsFrame } from "./frames.ts";

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function startUpstream(
  serve: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  settings: http2.Settings = {},
) {
  const server = http2.createServer({ settings });
  const sessions: http2.ServerHttp2Session[] = [];
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    serve(stream, headers);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: (server.address() as { port: number }).port, sessions };
}

async function proxyTo(port: number, plan: Partial<ClusterPlan> = {}): Promise<TestProxy> {
  const proxy = await startTestProxy(
    [listenerPlan([chainPlan(httpPlan())])],
    [clusterPlan([{ kind: "ip", host: "127.0.0.1", port }], { protocol: "http2", ...plan })],
  );
  closers.push(() => proxy.close());
  return proxy;
}

function connect(proxy: TestProxy): http2.ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${proxy.port()}`);
  session.on("error", () => {});
  closers.push(() => session.destroy());
  return session;
}

async function call(client: http2.ClientHttp2Session, path: string, body?: Buffer) {
  const stream = client.request({ ":path": path, ":method": body ? "POST" : "GET" }, { endStream: !body });
  let status = 0;
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on("response", (head) => {
    status = head[":status"]!;
  });
  stream.on("trailers", (got) => {
    trailers = got;
  });
  if (body) stream.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status, trailers, body: Buffer.concat(chunks) };
}

function answerPath(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
  stream.respond({ ":status": 200 }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(headers[":path"]);
}

test("many requests share one connection, each with its own answer and trailers", async () => {
  const upstream = await startUpstream(answerPath);
  const proxy = await proxyTo(upstream.port);
  const client = connect(proxy);
  const paths = Array.from({ length: 60 }, (_, i) => `/${i}`);
  const answers = await Promise.all(paths.map((path) => call(client, path)));
  assert.deepEqual(
    answers.map(({ body }) => body.toString()),
    paths,
  );
  assert.ok(answers.every(({ trailers }) => trailers["grpc-status"] === "0"));
  assert.equal(upstream.sessions.length, 1);
  assert.equal(proxy.metric("envoy_cluster_upstream_cx_http2_total"), 1);
});

test("bodies larger than every window pass both ways unharmed", async () => {
  const upstream = await startUpstream((stream) => {
    stream.respond({ ":status": 200 });
    stream.pipe(stream);
  });
  const client = connect(await proxyTo(upstream.port));
  const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 13) & 0xff));
  for (const answer of await Promise.all([call(client, "/a", body), call(client, "/b", body)])) {
    assert.ok(answer.body.equals(body));
  }
});

test("an HTTP/1.1 client is served by an HTTP/2 upstream", async () => {
  const upstream = await startUpstream(answerPath);
  const proxy = await proxyTo(upstream.port);
  const client = await RawClient.connect(proxy.port());
  closers.push(() => client.close());
  client.send("GET /old HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.match(await client.until(/\r\n0\r\n\r\n$/), /^HTTP\/1.1 200 .*\/old/s);
});

test("a cluster that follows its clients speaks to the upstream what they speak", async () => {
  const upstream = await startUpstream(answerPath);
  const client = connect(await proxyTo(upstream.port, { protocol: "downstream" }));
  assert.equal((await call(client, "/x")).body.toString(), "/x");
});

test("requests beyond what the server allows wait for room or another connection", async () => {
  const upstream = await startUpstream((stream, headers) => setImmediate(answerPath, stream, headers), {
    maxConcurrentStreams: 2,
  });
  const client = connect(await proxyTo(upstream.port));
  assert.equal((await call(client, "/first")).status, 200);
  const answers = await Promise.all(Array.from({ length: 9 }, (_, i) => call(client, `/${i}`)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
});

test("after GOAWAY what runs is finished and new requests get a new connection", async () => {
  let finish = () => {};
  const upstream = await startUpstream((stream, headers) => {
    if (headers[":path"] === "/slow") finish = () => answerPath(stream, headers);
    else answerPath(stream, headers);
  });
  const client = connect(await proxyTo(upstream.port));
  const slow = call(client, "/slow");
  await call(client, "/before");
  upstream.sessions[0]!.close();
  while (upstream.sessions.length < 2) assert.equal((await call(client, "/after")).status, 200);
  finish();
  assert.equal((await slow).body.toString(), "/slow");
});

test("a request the client gives up is reset upstream", async () => {
  let closed: Promise<unknown> = Promise.resolve();
  let arrived = () => {};
  const reached = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const upstream = await startUpstream((stream) => {
    closed = once(stream, "close").then(() => stream.rstCode);
    arrived();
  });
  const client = connect(await proxyTo(upstream.port));
  const stream = client.request({ ":path": "/" });
  stream.on("error", () => {});
  await reached;
  stream.close(http2.constants.NGHTTP2_CANCEL);
  assert.equal(await closed, ErrorCode.Cancel);
});

const head = (streamId: number, ...flat: string[]) =>
  frame(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, streamId, block(...flat));
const badAnswers: [what: string, answer: Buffer][] = [
  ["no HTTP/2 at all", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ["a head without status", head(1, "server", "x")],
  ["an upgrade", head(1, ":status", "101")],
  ["a name in upper case", head(1, ":status", "200", "X-Upper", "1")],
  ["less body than announced", head(1, ":status", "200", "content-length", "5")],
  ["a field about the connection", head(1, ":status", "200", "te", "trailers")],
  ["an answer nobody asked for", head(7, ":status", "200")],
  ["a promise", frame(FrameType.PushPromise, Flag.EndHeaders, 1, Buffer.alloc(4))],
];
for (const [what, answer] of badAnswers) {
  test(`an upstream that answers with ${what} is answered for`, async () => {
    const raw = await startServer((socket: Socket) => {
      socket.once("data", () => socket.write(Buffer.concat([settingsFrame([]), answer])));
    });
    closers.push(() => raw.close());
    if (raw.address.kind !== "ip") throw new Error("a port was expected");
    const client = connect(await proxyTo(raw.address.port));
    const { status } = await call(client, "/");
    assert.ok(status === 502 || status === 503, `${status}`);
  });
}
