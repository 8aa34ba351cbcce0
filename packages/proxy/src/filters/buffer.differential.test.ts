import { test } from "node:test";
import { expectSame, type Sent, withEnvoy } from "./side-by-side-fixture.ts";

const type = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3";
const perRoute = (override: string) =>
  `typed_per_filter_config: { buffer: { "@type": ${type}.BufferPerRoute, ${override} } }`;

test("requests are held and refused as in Envoy", withEnvoy, () =>
  expectSame(
    {
      filters: `\n- name: buffer\n  typed_config: { "@type": ${type}.Buffer, max_request_bytes: 100 }\n`,
      routes: [
        `- { match: { prefix: /off }, route: { cluster: upstream }, ${perRoute("disabled: true")} }`,
        `- { match: { prefix: /small }, route: { cluster: upstream }, ${perRoute("buffer: { max_request_bytes: 10 }")} }`,
        "- { match: { prefix: / }, route: { cluster: upstream } }",
      ].join("\n"),
    },
    ["/", "/off", "/small"].flatMap((path) =>
      [0, 10, 11, 100, 101, 100_000].flatMap((length): Sent[] => [
        { path, method: "POST", body: "b".repeat(length), headers: { "content-length": `${length}` } },
        { path, method: "POST", body: "b".repeat(length), headers: { "transfer-encoding": "chunked" } },
      ]),
    ),
    ["http.test.downstream_rq_too_large"],
  ),
);
