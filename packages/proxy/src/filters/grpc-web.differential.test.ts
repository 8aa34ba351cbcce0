import assert from "node:assert/strict";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { type SideBySide, startSideBySide, withEnvoy } from "./side-by-side-fixture.ts";

const frame = (text: string) => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
};

/** Echoes the request as one frame with what it was sent with, then as many as were asked for, then trailers. */
function startGrpc(): http2.Http2Server {
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      if (stream.destroyed) return;
      if (headers[":path"] === "/trailers-only") {
        const only = {
          ":status": 200,
          "content-type": "application/grpc",
          "grpc-status": "5",
          "grpc-message": "no",
        };
        stream.respond(only, { endStream: true });
        return;
      }
      if (headers[":path"] === "/not-grpc") {
        stream.respond({ ":status": 503, "content-type": "text/plain" });
        stream.end("broken");
        return;
      }
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-a": "b" }));
      const said = ["content-type", "te", "grpc-accept-encoding", "content-length"].map(
        (name) => headers[name],
      );
      stream.write(frame(JSON.stringify([said, Buffer.concat(chunks).toString("base64")])));
      for (const text of ["a", "bc", ""]) stream.write(frame(text));
      stream.end();
    });
  });
  return server;
}

const binary = "application/grpc-web+proto";
const text = "application/grpc-web-text+proto";
const message = frame("hello");
const inText = message.toString("base64");
const cases: [what: string, path: string, headers: Record<string, string>, body: string | Buffer][] = [
  ["binary", "/x", { "content-type": binary }, message],
  ["binary without a format", "/x", { "content-type": "application/grpc-web" }, message],
  ["text both ways", "/x", { "content-type": text, accept: text }, inText],
  [
    "text without a format",
    "/x",
    { "content-type": "application/grpc-web-text", accept: "application/grpc-web-text" },
    inText,
  ],
  ["text up, binary down", "/x", { "content-type": text }, inText],
  ["binary up, text down", "/x", { "content-type": binary, accept: text }, message],
  [
    "two messages, each padded",
    "/x",
    { "content-type": text, accept: text },
    frame("a").toString("base64") + frame("bc").toString("base64"),
  ],
  ["no body", "/x", { "content-type": text, accept: text }, ""],
  ["a status without a body", "/trailers-only", { "content-type": binary }, message],
  ["a status without a body, in text", "/trailers-only", { "content-type": text, accept: text }, inText],
  ["gRPC itself", "/x", { "content-type": "application/grpc" }, message],
  ["something else", "/x", { "content-type": "text/plain" }, "hello"],
];

describe("gRPC-Web, as Envoy bridges it", withEnvoy, () => {
  let both: SideBySide;
  const server = startGrpc();

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    both = await startSideBySide({
      filters: `
- name: envoy.filters.http.grpc_web
  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb }`,
      routes: `
- match: { path: /x }
  route: { cluster: grpc }
- match: { path: /trailers-only }
  route: { cluster: grpc }
- match: { path: /not-grpc }
  route: { cluster: grpc }`,
      clusters: `
- name: grpc
  connect_timeout: 1s
  typed_extension_protocol_options:
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
      explicit_http_config: { http2_protocol_options: {} }
  load_assignment:
    cluster_name: grpc
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }]`,
    });
  });

  after(async () => {
    await both?.close();
    server.close();
  });

  for (const [what, path, headers, body] of cases) {
    it(what, async () => {
      const { envoy, weft } = await both.ask({ method: "POST", path, headers, body });
      assert.deepEqual(weft, envoy);
    });
  }

  const refused: [what: string, path: string, body: string, status: number, code: string][] = [
    ["text that is no base64", "/x", "!!!!", 400, "13"],
    ["text cut short", "/x", inText.slice(0, -1), 400, "13"],
    ["no route", "/none", inText, 404, "12"],
  ];
  for (const [what, path, body, status, code] of refused) {
    it(`answers ${what} with a gRPC status, where Envoy keeps the status of HTTP`, async () => {
      const headers = { "content-type": text, accept: text };
      const { envoy, weft } = await both.ask({ method: "POST", path, headers, body });
      assert.equal(envoy.status, status);
      assert.deepEqual(
        [weft.status, weft.headers["grpc-status"], weft.headers["content-type"]],
        [200, code, text],
      );
      assert.equal(weft.headers["grpc-message"], envoy.headers["grpc-message"]);
    });
  }

  it("leaves an answer that is no gRPC as it is", async () => {
    const { weft } = await both.ask({
      method: "POST",
      path: "/not-grpc",
      headers: { "content-type": binary },
      body: message,
    });
    assert.deepEqual([weft.status, weft.body], [503, "broken"]);
  });
});
