import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { type SideBySide, startSideBySide, withEnvoy } from "./side-by-side-fixture.ts";
import { frame, grpcCluster, startGrpc } from "./test-grpc-upstream.ts";

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
      clusters: grpcCluster(port),
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
