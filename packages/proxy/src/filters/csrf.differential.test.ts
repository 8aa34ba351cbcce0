import { test } from "node:test";
import { expectSame, type Sent, withEnvoy } from "./side-by-side-fixture.ts";

const type = '"@type": type.googleapis.com/envoy.extensions.filters.http.csrf.v3.CsrfPolicy';
const share = (percent: number) => `{ default_value: { numerator: ${percent} } }`;
const route = (path: string, policy: string) =>
  `- { match: { prefix: ${path} }, route: { cluster: upstream }, typed_per_filter_config: { csrf: { ${type}, ${policy} } } }`;

const filters = `
- name: csrf
  typed_config: { ${type}, filter_enabled: ${share(100)}, additional_origins: [{ exact: friend.example }, { suffix: .friend.example }] }
`;
const routes = [
  route("/shadow", `filter_enabled: ${share(0)}, shadow_enabled: ${share(100)}`),
  route("/both", `filter_enabled: ${share(100)}, shadow_enabled: ${share(100)}`),
  route("/off", `filter_enabled: ${share(0)}`),
  route("/strict", `filter_enabled: ${share(100)}`),
  "- { match: { prefix: / }, route: { cluster: upstream } }",
].join("\n");

const post = (path: string, headers: Sent["headers"] = {}, host = "own.example"): Sent => ({
  method: "POST",
  path,
  host,
  headers,
});
const origins = [
  "http://own.example",
  "https://own.example",
  "https://own.example/page?x#y",
  "HTTP://own.example",
  "http://OWN.example",
  "https://own.example:443",
  "https://own.example:8443",
  "https://user@own.example",
  "https://evil.example",
  "https://own.example.evil.example",
  "https://friend.example",
  "https://a.friend.example",
  "https://a.friend.example:81",
  "own.example",
  "friend.example",
  "ftp://own.example",
  "null",
  "",
  "https://",
  "//own.example",
];

const questions: readonly Sent[] = [
  ...origins.map((origin) => post("/", { origin })),
  ...origins.map((referer) => post("/", { referer })),
  post("/"),
  post("/", { origin: "", referer: "https://own.example/x" }),
  post("/", { origin: "null", referer: "https://own.example/x" }),
  post("/", { origin: "https://evil.example", referer: "https://own.example/x" }),
  post("/", { origin: "https://own.example:8443" }, "own.example:8443"),
  post("/", { origin: "https://own.example" }, "own.example:443"),
  ...["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"].map((method) => ({
    ...post("/", { origin: "https://evil.example" }),
    method,
  })),
  ...["/shadow", "/both", "/off", "/strict"].flatMap((path) => [
    post(path, { origin: "https://evil.example" }),
    post(path, { origin: "https://friend.example" }),
    post(path),
  ]),
];
const statistics = ["missing_source_origin", "request_invalid", "request_valid"].map(
  (name) => `http.test.csrf.${name}`,
);

test("requests from other origins are refused and counted as in Envoy", withEnvoy, () =>
  expectSame({ filters, routes }, questions, statistics),
);
