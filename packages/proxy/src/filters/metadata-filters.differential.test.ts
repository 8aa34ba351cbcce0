import assert from "node:assert/strict";
import { test } from "node:test";
import { compileText } from "../config/testing.ts";
import { expectSame, withEnvoy } from "./side-by-side-fixture.ts";

const type = "type.googleapis.com/envoy.extensions.filters.http";
const toMetadata = (rules: string) => `"@type": ${type}.header_to_metadata.v3.Config, ${rules}`;
const logOf = (...operators: string[]) =>
  operators.map((operator) => `%DYNAMIC_METADATA(${operator})%`).join(" ");

test("metadata is set as in Envoy", withEnvoy, () =>
  expectSame(
    {
      filters: `
- name: first
  typed_config:
    "@type": ${type}.set_metadata.v3.Config
    metadata_namespace: old
    value: { a: 1, deep: { b: x } }
- name: second
  typed_config:
    "@type": ${type}.set_metadata.v3.Config
    metadata:
    - { metadata_namespace: old, value: { a: 2 } }
    - { metadata_namespace: old, allow_overwrite: true, value: { deep: { c: [p] }, list: [1], n: null } }
    - { metadata_namespace: old, allow_overwrite: true, value: { deep: { b: z, c: [w] }, list: { d: 1 } } }
    - { metadata_namespace: new, value: { yes: true } }
`,
      log: logOf("old:a", "old:deep:b", "old:deep:c", "old:list", "new:yes"),
    },
    [{ path: "/" }],
    ["http.test.set_metadata.overwrite_denied"],
  ),
);

const present = (key: string, more = "") => `on_header_present: { key: ${key}${more} }`;
const rules = `
    request_rules:
    - { header: X-Plain, ${present("plain")}, on_header_missing: { key: plain, value: none } }
    - { header: x-named, ${present("named", ", metadata_namespace: ns")}, remove: true }
    - { header: x-fixed, ${present("fixed", ", value: v")} }
    - { header: x-number, ${present("number", ", type: NUMBER")} }
    - { header: x-base64, ${present("base64", ", encode: BASE64")} }
    - { header: x-regex, ${present("regex", `, regex_value_rewrite: { pattern: { regex: "^/(\\\\w+)/.*" }, substitution: "\\\\1" }`)} }
    - { cookie: c, ${present("cookie")}, on_header_missing: { key: cookie, value: no-cookie } }
    - { header: x-gone, on_header_missing: { key: gone, value: "yes" }, remove: true }
    response_rules:
    - { header: content-type, ${present("type")}, remove: true }
`;
const name = "envoy.filters.http.header_to_metadata";

test("headers become metadata as in Envoy", withEnvoy, () =>
  expectSame(
    {
      filters: `
- name: meta
  typed_config:
    "@type": ${type}.header_to_metadata.v3.Config${rules}
`,
      routes: [
        `- { match: { prefix: /own }, route: { cluster: upstream }, typed_per_filter_config: { meta: { ${toMetadata(`request_rules: [{ header: x-plain, ${present("plain", ", value: route")} }]`)} } } }`,
        "- { match: { prefix: / }, route: { cluster: upstream } }",
      ].join("\n"),
      log: logOf(
        `${name}:plain`,
        "ns:named",
        ...["fixed", "number", "base64", "regex", "cookie", "gone", "type"].map((key) => `${name}:${key}`),
      ),
    },
    [
      { path: "/" },
      { path: "/own", headers: { "x-plain": "1", "x-named": "2" } },
      { path: "/", headers: { "x-plain": ["1", "2"], "x-named": "3", "x-fixed": "4", "x-gone": "5" } },
      { path: "/", headers: { "x-plain": "", "x-number": "" } },
      ...["1", "1.5", "-2e3", " 7 ", "x", "1x", ".5", "5.", "+1"].map((number) => ({
        path: "/",
        headers: { "x-number": number },
      })),
      ...["aGVsbG8=", "aGVsbG8", "!", "aGk="].map((base64) => ({
        path: "/",
        headers: { "x-base64": base64 },
      })),
      ...["/shop/cart", "shop", "/a/b/c"].map((regex) => ({ path: "/", headers: { "x-regex": regex } })),
      ...["c=1", "a=2; c=3", 'c="4"', "c=", "d=5", "c"].map((cookie) => ({ path: "/", headers: { cookie } })),
      { path: "/", headers: { "x-plain": "x".repeat(8191) } },
      { path: "/", headers: { "x-plain": "x".repeat(8192) } },
    ],
  ),
);

function bootstrapWith(settings: string): string {
  return `
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: test
          route_config: { virtual_hosts: [{ name: v, domains: ["*"], routes: [] }] }
          http_filters:
          - name: own
            typed_config: { ${settings} }
          - name: router
            typed_config: { "@type": ${type}.router.v3.Router }
`;
}

const rule = (text: string) => toMetadata(`request_rules: [{ ${text} }]`);
const mistakes: readonly (readonly [settings: string, problem: RegExp])[] = [
  [rule(present("k")), /request_rules\[0\]: needs either `header` or `cookie`/],
  [rule("header: x"), /request_rules\[0\]: needs `on_header_present`/],
  [rule(`cookie: c, remove: true, ${present("k")}`), /remove: a cookie cannot be removed/],
  [rule("header: x, on_header_missing: { key: k }"), /on_header_missing\.value: is empty/],
  [rule("header: x, on_header_present: {}"), /on_header_present\.key: is empty/],
  [rule(`header: x, ${present("k", ", type: PROTOBUF_VALUE")}`), /type: PROTOBUF_VALUE is not implemented/],
  [
    rule(
      `header: x, ${present("k", ", value: v, regex_value_rewrite: { pattern: { regex: a }, substitution: b }")}`,
    ),
    /regex_value_rewrite: excludes `value`/,
  ],
  [`"@type": ${type}.set_metadata.v3.Config, metadata: [{ value: {} }]`, /metadata_namespace: is empty/],
  [
    `"@type": ${type}.set_metadata.v3.Config, metadata: [{ metadata_namespace: n }]`,
    /metadata\[0\]: needs `value`/,
  ],
];
for (const [settings, problem] of mistakes) {
  test(`what is wrong is said with its place: ${problem.source}`, () => {
    assert.throws(() => compileText(bootstrapWith(settings)), problem);
  });
}
