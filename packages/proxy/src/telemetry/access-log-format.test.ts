import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Exchange } from "../layer/exchange.ts";
import { HeaderList } from "../layer/header-list.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import {
  asString,
  compileHeaderValue,
  compileTextFormat,
  compileTextLine,
  envoyDefaultFormat,
  istioDefaultFormat,
  type LineRenderer,
} from "./access-log-format.ts";
import { compileJsonLine } from "./access-log-json.ts";
import { connection, exchange, peerIdentity, request, response } from "./exchange-fixture.ts";
import { LogBuffer } from "./log-buffer.ts";

/** What a format writes into a log, which is what it makes as a string. */
function written(render: LineRenderer, sent: Exchange): string {
  const log = new LogBuffer(1);
  render(sent, log);
  const text = log.bytes.toString("utf8", 0, log.length);
  assert.equal(text, asString(render)(sent));
  return text;
}

function jsonLine(
  fields: Readonly<Record<string, unknown>>,
  sent: Exchange,
  omitEmptyValues = false,
): string {
  return written(compileJsonLine(fields, omitEmptyValues), sent);
}

describe("text formats", () => {
  const full = () =>
    exchange({
      request: request({ "user-agent": "curl/8", "x-forwarded-for": "10.1.2.3", "x-request-id": "3f1b" }),
      response: response(200, { "x-envoy-upstream-service-time": "9" }),
    });

  it("Envoy's default line is Envoy's", () => {
    assert.equal(
      compileTextFormat(envoyDefaultFormat)(full()),
      '[2026-01-02T03:04:05.678Z] "GET /reviews/1?full=1 HTTP/1.1" 200 - 11 222 12 9 "10.1.2.3" "curl/8" "3f1b" "reviews:9080" "10.0.0.2:80"\n',
    );
  });

  it("Istio's default line is Istio's", () => {
    assert.equal(
      compileTextFormat(istioDefaultFormat)(full()),
      '[2026-01-02T03:04:05.678Z] "GET /reviews/1?full=1 HTTP/1.1" 200 - via_upstream - "-" 11 222 12 9 "10.1.2.3" "curl/8" "3f1b" "reviews:9080" "10.0.0.2:80" outbound|9080||reviews.default.svc.cluster.local 10.0.0.1:50000 10.0.0.1:9080 10.1.2.3:40000 - -\n',
    );
  });

  it("a query parameter is decoded, but never into what ends a line", () => {
    const format = compileTextFormat("%QUERY_PARAM(a)%|%QUERY_PARAM(b)%|%QUERY_PARAM(c)%");
    const sent = { ...request({}), path: "/?a=x%20y&b=1%0d%0aset-cookie:%20z" };
    assert.equal(format(exchange({ request: sent })), "x y|1%0d%0aset-cookie:%20z|-");
  });

  it("a path without its query is what stands before it, in each of its forms", () => {
    const sent = { ...request({ "x-envoy-original-path": "/old?q" }), path: "/new?q" };
    const text = compileTextFormat("%PATH% %PATH(NQ)% %PATH(WQ:PATH)% %PATH(NQ:PATH)% %PATH(NQ:ORIG)%");
    assert.equal(text(exchange({ request: sent })), "/old?q /old /new?q /new /old");
    assert.throws(() => compileTextFormat("%PATH(XX)%"), /use WQ or NQ/);
    assert.throws(() => compileTextFormat("%PATH(WQ:NEW)%"), /use WQ or NQ/);
  });

  it("the record of a TCP connection prints - for what only HTTP has", () => {
    const tcp = exchange({ request: undefined, response: undefined, protocol: "", details: "" });
    assert.equal(
      compileTextFormat("%REQ(:METHOD)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %BYTES_SENT%")(
        tcp,
      ),
      "- - 0 - 222",
    );
  });

  it("without empty values nothing stands for what is missing", () => {
    assert.equal(compileTextFormat("[%REQ(X-NONE)%]", true)(exchange()), "[]");
  });
});

describe("command operators", () => {
  const spiffe = "spiffe://cluster.local/ns/default/sa/productpage";
  const grpc = request({ "content-type": "application/grpc" });
  const cases: readonly (readonly [format: string, expected: string, Partial<Exchange>?])[] = [
    ["100%%", "100%"],
    ["%REQ(X-A?X-B)%", "b", { request: request({ "x-b": "b" }) }],
    ["%REQ(X-A?X-B)%", "a", { request: request({ "x-b": "b", "x-a": "a" }) }],
    ["%REQ(X-A):3%", "abc", { request: request({ "x-a": "abcdef" }) }],
    ["%REQ(:AUTHORITY)% %REQ(:SCHEME)%", "reviews:9080 http"],
    ["%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "/old", { originalPath: "/old" }],
    ["%RESP(:STATUS)% %RESP(SERVER)%", "200 -"],
    ["%TRAILER(X-T)%", "t", { responseTrailers: new HeaderList(["x-t", "t"]) }],
    ["%START_TIME(%s.%3f)%", "1767323045.678"],
    ["%START_TIME(%d/%b/%Y:%H:%M:%S %z)%", "02/Jan/2026:03:04:05 +0000"],
    ["%REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%", "1 10 2"],
    ["%RESPONSE_DURATION%", "-", { upstreamFirstByteMs: 0 }],
    ["%RESPONSE_FLAGS%", "DI,FI", { flags: ResponseFlag.DelayInjected | ResponseFlag.FaultInjected }],
    ["%RESPONSE_CODE_DETAILS%", "a_b", { details: "a b" }],
    ["%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%", "10.0.0.2 80"],
    ["%UPSTREAM_HOST% %UPSTREAM_REQUEST_ATTEMPT_COUNT%", "- 0", { endpoint: undefined, attempts: 0 }],
    ["%UPSTREAM_PEER_URI_SAN%", spiffe, { upstreamPeer: peerIdentity({ uris: [spiffe] }) }],
    [
      "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
      "9.9.9.9",
      { clientAddress: { kind: "ip", host: "9.9.9.9", port: 0 } },
    ],
    [
      "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
      "10.1.2.3:40000",
      { clientAddress: { kind: "ip", host: "9.9.9.9", port: 0 } },
    ],
    [
      "%DOWNSTREAM_PEER_URI_SAN%",
      spiffe,
      { connection: connection({ peer: peerIdentity({ uris: [spiffe] }) }) },
    ],
    ["%DOWNSTREAM_PEER_URI_SAN%", "-"],
    [
      "%DOWNSTREAM_TLS_VERSION%",
      "TLSv1.3",
      { connection: connection({ isTls: true, tlsVersion: "TLSv1.3" }) },
    ],
    ["%REQUESTED_SERVER_NAME%", "web", { connection: connection({ requestedServerName: "web" }) }],
    ["%CONNECTION_ID%", "7"],
    ["%DYNAMIC_METADATA(f:k)%", "v", { dynamicMetadata: new Map([["f", new Map([["k", "v"]])]]) }],
    ["%DYNAMIC_METADATA(f)%", '{"k":"v"}', { dynamicMetadata: new Map([["f", new Map([["k", "v"]])]]) }],
    [
      "%GRPC_STATUS% %GRPC_STATUS(NUMBER)%",
      "PermissionDenied 7",
      { request: grpc, response: response(200, { "grpc-status": "7" }) },
    ],
    [
      "%GRPC_STATUS(SNAKE_STRING)%",
      "OK",
      { request: grpc, responseTrailers: new HeaderList(["grpc-status", "0"]) },
    ],
    ["%GRPC_STATUS%", "-"],
  ];
  for (const [format, expected, options] of cases) {
    it(`${format} prints ${expected}`, () => {
      assert.equal(written(compileTextLine(format), exchange(options)), expected);
    });
  }

  const mistakes: readonly (readonly [format: string, said: RegExp])[] = [
    ["%NO_SUCH_THING%", /unknown command operator %NO_SUCH_THING%/],
    ["%RESPONSE_COD%", /did you mean %RESPONSE_CODE/],
    ["50% of", /column 3 .*write %% for a percent sign/],
    ["%REQ%", /%REQ\(…\)% needs an argument/],
    ["%DURATION(x)%", /%DURATION% takes no argument/],
    ["%START_TIME(%Q)%", /unknown conversion %Q/],
    ["%REQ(A?B?C)%", /NAME\?ALTERNATIVE/],
    ["%GRPC_STATUS(LOUD)%", /CAMEL_STRING, SNAKE_STRING or NUMBER/],
  ];
  for (const [format, said] of mistakes) {
    it(`${format} is refused by name`, () => {
      assert.throws(() => compileTextFormat(format), { name: "SyntaxError", message: said });
    });
  }
});

describe("JSON formats", () => {
  const fields = {
    status: "%RESPONSE_CODE%",
    path: "%REQ(:PATH)%",
    agent: "%REQ(USER-AGENT)%",
    flags: "%RESPONSE_FLAGS%",
    mixed: "%PROTOCOL% in %DURATION% ms",
    nested: { upstream: "%UPSTREAM_HOST%", none: "%ROUTE_NAME%" },
    list: ["%BYTES_SENT%", "x"],
    constant: 3,
  };

  it("keep numbers, print null for what is missing and sort the keys", () => {
    const line = jsonLine(fields, exchange());
    assert.equal(
      line,
      '{"agent":null,"constant":3,"flags":"-","list":[222,"x"],"mixed":"HTTP/1.1 in 12 ms","nested":{"none":null,"upstream":"10.0.0.2:80"},"path":"/reviews/1?full=1","status":200}\n',
    );
  });

  it("leave empty values out when told to", () => {
    const sparse = {
      agent: "%REQ(USER-AGENT)%",
      list: ["%REQ(X-A)%", "[%REQ(X-A)%]", "%BYTES_SENT%"],
      nested: { none: "%ROUTE_NAME%" },
      status: "%RESPONSE_CODE%",
    };
    assert.equal(jsonLine(sparse, exchange(), true), '{"list":[null,"[]",222],"nested":{},"status":200}\n');
    assert.equal(jsonLine({ agent: "%REQ(USER-AGENT)%", list: [] }, exchange(), true), '{"list":[]}\n');
    assert.equal(jsonLine({}, exchange(), true), "{}\n");
  });

  it("keep metadata an object, its keys sorted", () => {
    const values = new Map([
      ["b", "2"],
      ["a", "1"],
    ]);
    const line = jsonLine(
      { m: "%DYNAMIC_METADATA(f)%" },
      exchange({ dynamicMetadata: new Map([["f", values]]) }),
    );
    assert.equal(line, '{"m":{"a":"1","b":"2"}}\n');
  });

  const hostile = [
    'a"b\\c\u0001\u00e9</script>',
    "plain",
    "of forty characters, and nothing escaped",
    `of forty characters, and one ${'"'} in it`,
    "\u00e9".repeat(40),
    "\u007f \u20ac \u{1f642} \ud800",
    "\n",
    "",
  ];
  for (const agent of hostile) {
    it(`quote ${JSON.stringify(agent)}, sent by a client`, () => {
      const sent = exchange({ request: request({ "user-agent": agent }) });
      const line = jsonLine({ agent: "%REQ(USER-AGENT)%" }, sent);
      assert.deepEqual(JSON.parse(line), { agent });
      assert.equal(line.indexOf("\n"), line.length - 1);
    });
  }
});

describe("numbers", () => {
  for (const value of [0, 7, 10, 99, 100, 65_535, 999_999_999, 1_000_000_000, 2 ** 53, -1, 1.5, 1e21]) {
    it(`${value} stands in a line as in a string`, () => {
      const sent = exchange({ bytesSent: value });
      assert.equal(jsonLine({ sent: "%BYTES_SENT%" }, sent), `{"sent":${value}}\n`);
      assert.equal(written(compileTextLine("%BYTES_SENT%"), sent), `${value}`);
    });
  }
});

describe("header values", () => {
  it("without operators stay constants", () => {
    assert.equal(compileHeaderValue("plain"), "plain");
    assert.equal(compileHeaderValue("100%%"), "100%");
  });

  it("with operators are filled in, empty when missing", () => {
    const value = compileHeaderValue("v=%REQ(X-V)%");
    assert.ok(typeof value === "function");
    assert.equal(value(exchange({ request: request({ "x-v": "1" }) })), "v=1");
    assert.equal(value(exchange()), "v=");
  });
});
