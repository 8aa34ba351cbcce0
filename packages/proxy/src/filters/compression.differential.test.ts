import assert from "node:assert/strict";
import { test } from "node:test";
import zlib from "node:zlib";
import { type Answer, type Sent, startSideBySide, withEnvoy } from "./side-by-side-fixture.ts";

const http = "type.googleapis.com/envoy.extensions.filters.http";
const compression = "type.googleapis.com/envoy.extensions.compression";
const compressor = (name: string, library: string, more = "") => `
- name: ${name}
  typed_config:
    "@type": ${http}.compressor.v3.Compressor
    compressor_library: { name: lib, typed_config: { "@type": ${compression}.${library} } }
    ${more}
`;
const text = "The quick brown fox jumps over the lazy dog. ".repeat(200);

function decode(answer: Answer): Answer {
  const bytes = Buffer.from(answer.body, "latin1");
  switch (answer.headers["content-encoding"]) {
    case "gzip":
      return { ...answer, body: zlib.gunzipSync(bytes).toString() };
    case "br":
      return { ...answer, body: zlib.brotliDecompressSync(bytes).toString() };
    case "zstd":
      return { ...answer, body: zlib.zstdDecompressSync(bytes).toString() };
    default:
      return answer;
  }
}

/** The upstream answers with the headers and the length the path asks for. */
const shaped = (path: string, headers: Readonly<Record<string, string>>): Sent => ({
  path: `${path}?${new URLSearchParams(headers)}`,
  headers: { "accept-encoding": "gzip" },
});

const accepts = [
  "gzip",
  "br",
  "gzip, br",
  "br, gzip",
  "gzip;q=0.1, br;q=0.9",
  "gzip;q=0",
  "*",
  "*;q=0",
  "identity",
  "identity, gzip;q=0.5",
  "gzip;q=0, *",
  "deflate",
  "",
  "zstd",
  "gzip;q=x",
];

const questions: readonly Sent[] = [
  { path: "/" },
  ...accepts.map((accepted) => ({ path: "/", headers: { "accept-encoding": accepted } })),
  { path: "/", method: "HEAD", headers: { "accept-encoding": "gzip" } },
  shaped("/", { "content-type": "image/png" }),
  shaped("/", { "content-type": "text/html; charset=utf-8" }),
  shaped("/", { "cache-control": "no-transform" }),
  shaped("/", { "content-encoding": "x-other" }),
  shaped("/", { etag: '"strong"' }),
  shaped("/", { etag: 'W/"weak"' }),
  shaped("/", { vary: "x-a" }),
  shaped("/", { vary: "Accept-Encoding" }),
  shaped("/short", {}),
  shaped("/codes", {}),
  { path: "/off", headers: { "accept-encoding": "gzip" } },
];

test("responses are compressed where Envoy compresses them", withEnvoy, async () => {
  const both = await startSideBySide({
    filters:
      compressor(
        "gzip",
        "gzip.compressor.v3.Gzip",
        "response_direction_config: { uncompressible_response_codes: [206] }",
      ) + compressor("br", "brotli.compressor.v3.Brotli"),
    routes: `
- match: { prefix: /off }
  route: { cluster: upstream }
  typed_per_filter_config:
    gzip: { "@type": ${http}.compressor.v3.CompressorPerRoute, disabled: true }
- { match: { prefix: / }, route: { cluster: upstream } }
`,
    upstream(request, _body, answer) {
      const url = new URL(request.url!, "http://x");
      const body = url.pathname === "/short" ? "short" : text;
      const length = { "content-length": `${body.length}` };
      const status = url.pathname === "/codes" ? 206 : 200;
      answer(
        status,
        { "content-type": "text/plain", ...length, ...Object.fromEntries(url.searchParams) },
        body,
      );
    },
  });
  try {
    const differences: unknown[] = [];
    for (const sent of questions) {
      const { envoy, weft } = await both.ask(sent);
      try {
        assert.deepEqual(decode(weft), decode(envoy));
      } catch {
        const brief = (answer: Answer) => [answer.status, answer.headers, answer.body.length];
        differences.push({ sent, weft: brief(weft), envoy: brief(envoy) });
      }
    }
    assert.deepEqual(differences, []);
    for (const name of [
      "response.compressed",
      "response.not_compressed",
      "no_accept_header",
      "header_compressor_used",
      "header_identity",
    ]) {
      const { envoy, weft } = await both.stat(`http.test.compressor.lib.gzip.${name}`);
      assert.equal(weft, envoy, name);
    }
  } finally {
    await both.close();
  }
});

test("bodies are decompressed where Envoy decompresses them", withEnvoy, async () => {
  const library = `decompressor_library: { name: lib, typed_config: { "@type": ${compression}.gzip.decompressor.v3.Gzip, window_bits: 15 } }`;
  const both = await startSideBySide({
    filters: `\n- name: d\n  typed_config: { "@type": ${http}.decompressor.v3.Decompressor, ${library} }\n`,
    upstream(request, body, answer) {
      const { "accept-encoding": accepts, "content-encoding": encoding } = request.headers;
      const said = JSON.stringify({ accepts, encoding, body: body.toString() });
      if (request.url === "/plain") answer(200, { "content-type": "text/plain" }, said);
      else answer(200, { "content-encoding": "gzip" }, zlib.gzipSync(said));
    },
  });
  try {
    const packed = zlib.gzipSync(text);
    const headers = { "content-encoding": "gzip", "content-length": `${packed.length}` };
    const sents: readonly Sent[] = [
      { path: "/plain" },
      { path: "/" },
      { path: "/", headers: { "accept-encoding": "br, gzip;q=0" } },
      { path: "/", method: "POST", body: packed, headers },
      { path: "/plain", method: "POST", body: packed, headers },
      { path: "/", method: "POST", body: packed, headers: { ...headers, "cache-control": "no-transform" } },
    ];
    for (const sent of sents) {
      const { envoy, weft } = await both.ask(sent);
      assert.deepEqual(weft, envoy, JSON.stringify(sent.headers));
    }
    const bad = await both.ask({
      path: "/",
      method: "POST",
      body: "not gzip at all",
      headers: { "content-encoding": "gzip" },
    });
    assert.equal(bad.weft.status, 400, "what is not what it says is not passed on");
    const bomb = zlib.gzipSync(Buffer.alloc(5_000_000));
    const bombed = await both.ask({
      path: "/",
      method: "POST",
      body: bomb,
      headers: { "content-encoding": "gzip" },
    });
    assert.equal(bombed.weft.status, 400, "neither is what grows beyond measure");
  } finally {
    await both.close();
  }
});
