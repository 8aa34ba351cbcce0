import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Http1RequestHead, parseRequestHead, parseResponseHead, parseTrailers } from "./head.ts";

const limits = { maxBytes: 60 * 1024, maxCount: 100 };

function parse(text: string): Http1RequestHead {
  const head = parseRequestHead(text, limits);
  assert.ok(head instanceof Http1RequestHead, `refused: ${JSON.stringify(head)}`);
  return head;
}

function refusal(text: string): string {
  const head = parseRequestHead(text, limits);
  assert.ok(!(head instanceof Http1RequestHead), `accepted ${JSON.stringify(text)}`);
  return `${head.status} ${head.details}`;
}

describe("a request head", () => {
  it("is read with names in lower case, values trimmed and order kept", () => {
    const head = parse("GET /a?b=c HTTP/1.1\r\nHOST: x:80\r\nX-One:  1 \t\r\nx-two:\r\nX-ONE: 2");
    assert.deepEqual(
      [head.method, head.path, head.authority, head.headers.flat],
      ["GET", "/a?b=c", "x:80", ["x-one", "1", "x-two", "", "x-one", "2"]],
    );
  });

  it("takes the authority of an absolute target over Host", () => {
    const head = parse("GET http://y:8080/?q HTTP/1.1\r\nHost: x");
    assert.deepEqual([head.authority, head.path], ["y:8080", "/?q"]);
  });

  it("keeps hop-by-hop fields and what Connection nominates from travelling on", () => {
    const head = parse(
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, X-Secret, TE\r\nKeep-Alive: 3\r\nProxy-Connection: a\r\nX-Secret: 1\r\nTE: trailers, deflate\r\nX-Open: 2",
    );
    assert.deepEqual(head.headers.flat, ["x-open", "2", "te", "trailers"]);
  });

  it("closes the connection when either list of options says close", () => {
    assert.equal(
      parse("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo\r\nConnection: close").isKeepAlive,
      false,
    );
    assert.equal(parse("GET / HTTP/1.0\r\nHost: x").isKeepAlive, false);
    assert.equal(parse("GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive").isKeepAlive, true);
  });

  it("asks for an upgrade only when Connection says so, and never for h2c", () => {
    assert.equal(parse("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket").upgrade, "");
    assert.equal(
      parse("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: WebSocket").upgrade,
      "websocket",
    );
    assert.equal(parse("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c").upgrade, "");
  });

  const host = "\r\nHost: x";
  const refused: readonly (readonly [why: string, head: string, answer: string])[] = [
    [
      "length and chunked",
      `POST / HTTP/1.1${host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked`,
      "400 http1.content_length_and_chunked_not_allowed",
    ],
    [
      "chunked and length",
      `POST / HTTP/1.1${host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 3`,
      "400 http1.content_length_and_chunked_not_allowed",
    ],
    [
      "equal lengths twice",
      `POST / HTTP/1.1${host}\r\nContent-Length: 3\r\nContent-Length: 3`,
      "400 http1.codec_error",
    ],
    [
      "different lengths",
      `POST / HTTP/1.1${host}\r\nContent-Length: 3\r\nContent-Length: 4`,
      "400 http1.codec_error",
    ],
    ["a list of lengths", `POST / HTTP/1.1${host}\r\nContent-Length: 3, 3`, "400 http1.codec_error"],
    ["a signed length", `POST / HTTP/1.1${host}\r\nContent-Length: +3`, "400 http1.codec_error"],
    ["a hexadecimal length", `POST / HTTP/1.1${host}\r\nContent-Length: 0x3`, "400 http1.codec_error"],
    ["an empty length", `POST / HTTP/1.1${host}\r\nContent-Length:`, "400 http1.codec_error"],
    [
      "a length beyond safe integers",
      `POST / HTTP/1.1${host}\r\nContent-Length: 99999999999999999999`,
      "400 http1.codec_error",
    ],
    [
      "another transfer coding",
      `POST / HTTP/1.1${host}\r\nTransfer-Encoding: xchunked`,
      "501 http1.invalid_transfer_encoding",
    ],
    [
      "a list of transfer codings",
      `POST / HTTP/1.1${host}\r\nTransfer-Encoding: gzip, chunked`,
      "501 http1.invalid_transfer_encoding",
    ],
    [
      "a hidden transfer coding",
      `POST / HTTP/1.1${host}\r\nTransfer-Encoding: \x0bchunked`,
      "400 http1.invalid_characters",
    ],
    [
      "chunked twice",
      `POST / HTTP/1.1${host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked`,
      "400 http1.invalid_transfer_encoding",
    ],
    [
      "chunked in HTTP/1.0",
      `POST / HTTP/1.0${host}\r\nTransfer-Encoding: chunked`,
      "400 http1.invalid_transfer_encoding",
    ],
    ["whitespace before the colon", `GET / HTTP/1.1${host}\r\nA : b`, "400 http1.codec_error"],
    ["a folded line", `GET / HTTP/1.1${host}\r\nA: b\r\n c`, "400 http1.codec_error"],
    ["a bare CR", `GET / HTTP/1.1${host}\r\nA: b\rc`, "400 http1.codec_error"],
    ["a bare LF", `GET / HTTP/1.1${host}\r\nA: b\nC: d`, "400 http1.invalid_characters"],
    ["a NUL", `GET / HTTP/1.1${host}\r\nA: b\0`, "400 http1.invalid_characters"],
    ["a line without a colon", `GET / HTTP/1.1${host}\r\nABC`, "400 http1.codec_error"],
    ["an empty name", `GET / HTTP/1.1${host}\r\n: b`, "400 http1.codec_error"],
    ["a name that is no token", `GET / HTTP/1.1${host}\r\nA(: b`, "400 http1.codec_error"],
    ["two hosts", `GET / HTTP/1.1${host}\r\nHost: y`, "400 http1.codec_error"],
    ["a host with user information", "GET / HTTP/1.1\r\nHost: a@b", "400 http.invalid_authority"],
    ["a host with a space", "GET / HTTP/1.1\r\nHost: a b", "400 http.invalid_authority"],
    ["two spaces", `GET  / HTTP/1.1${host}`, "400 http1.codec_error"],
    ["a tab for a space", `GET\t/ HTTP/1.1${host}`, "400 http1.codec_error"],
    ["a space at the end", `GET / HTTP/1.1 ${host}`, "400 http1.codec_error"],
    ["a method in lower case", `get / HTTP/1.1${host}`, "400 http1.codec_error"],
    ["an unknown method", `FOO / HTTP/1.1${host}`, "400 http1.codec_error"],
    ["another version", `GET / HTTP/2.0${host}`, "426 low_version"],
    ["a control character in the target", `GET /\x01 HTTP/1.1${host}`, "400 http1.invalid_characters"],
    ["a byte above 127 in the target", `GET /\xe9 HTTP/1.1${host}`, "400 http1.codec_error"],
    ["a target without a slash", `GET foo HTTP/1.1${host}`, "400 http1.codec_error"],
    ["a foreign scheme", `GET ftp://y/ HTTP/1.1${host}`, "400 http1.invalid_scheme"],
    [
      "an absolute target with odd characters in its host",
      `GET http://y_z/ HTTP/1.1${host}`,
      "400 http1.invalid_url",
    ],
    [
      "an absolute target with a port that is none",
      `GET http://y:65536/ HTTP/1.1${host}`,
      "400 http1.invalid_url",
    ],
    ["an asterisk for GET", `GET * HTTP/1.1${host}`, "400 http1.invalid_url"],
    ["CONNECT without a port", `CONNECT x HTTP/1.1${host}`, "400 http1.invalid_url"],
    ["CONNECT with a body", `CONNECT x:1 HTTP/1.1${host}\r\nContent-Length: 3`, "400 http1.codec_error"],
    [
      "Connection nominating Host",
      `GET / HTTP/1.1${host}\r\nConnection: host`,
      "400 http1.connection_header_rejected",
    ],
    [
      "Connection nominating the client's identity",
      `GET / HTTP/1.1${host}\r\nConnection: x-forwarded-client-cert`,
      "400 http1.connection_header_rejected",
    ],
    ["too many fields", `GET / HTTP/1.1${host}${"\r\na: b".repeat(100)}`, "431 http1.too_many_headers"],
  ];
  for (const [why, head, answer] of refused) {
    it(`is refused for ${why}`, () => assert.equal(refusal(head), answer));
  }
});

describe("a response head", () => {
  for (const [why, text] of [
    ["no version", "HTTP/2 200 OK"],
    ["a short status", "HTTP/1.1 20 OK"],
    ["a status that runs on", "HTTP/1.1 2000 OK"],
    ["length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1"],
    ["a folded line", "HTTP/1.1 200 OK\r\na: b\r\n c"],
  ] as const) {
    it(`is refused for ${why}`, () => assert.ok("details" in parseResponseHead(text, limits)));
  }

  it("needs no reason phrase", () => {
    const head = parseResponseHead("HTTP/1.1 204\r\na: b", limits);
    assert.ok("status" in head && head.status === 204);
  });
});

describe("trailers", () => {
  it("may not change framing or destination", () => {
    for (const text of ["content-length: 3", "transfer-encoding: chunked", "host: x"]) {
      assert.ok("details" in parseTrailers(text, limits), text);
    }
    assert.ok(!("details" in parseTrailers("x-checksum: 1", limits)));
  });
});
