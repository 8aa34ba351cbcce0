import { test } from "node:test";
import { expectSame, withEnvoy } from "./side-by-side-fixture.ts";

const policy = (body: string) =>
  `{ "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, ${body} }`;
const route = (path: string, body: string, more = "") =>
  `- { match: { prefix: ${path} }, route: { cluster: upstream${more} }, typed_per_filter_config: { cors: ${policy(body)} } }`;
const good = 'allow_origin_string_match: [{ exact: "https://good.example" }, { suffix: .test }]';

const routes = [
  route("/full", `${good}, allow_methods: "GET,PUT", allow_headers: x-a, expose_headers: x-b, max_age: "60"`),
  route("/credentials", `${good}, allow_credentials: true, allow_methods: "*", allow_headers: "*"`),
  route("/any", 'allow_origin_string_match: [{ exact: "*" }], allow_private_network_access: true'),
  route("/strict", `${good}, forward_not_matching_preflights: false, allow_methods: GET`),
  route("/off", `${good}, filter_enabled: { default_value: { numerator: 0 } }`),
  route(
    "/shadow",
    `${good}, filter_enabled: { default_value: { numerator: 0 } }, shadow_enabled: { default_value: { numerator: 100 } }`,
  ),
  route("/inherit", "allow_methods: PATCH"),
  "- { match: { prefix: /redirect }, redirect: { path_redirect: /x } }",
  "- { match: { prefix: / }, route: { cluster: upstream } }",
];
const paths = [
  "/full",
  "/credentials",
  "/any",
  "/strict",
  "/off",
  "/shadow",
  "/inherit",
  "/redirect",
  "/plain",
];
const filter = `
- name: cors
  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors }
`;
const origins = ["https://good.example", "https://a.test", "https://evil.example", ""];
const questions = paths.flatMap((path) =>
  origins.flatMap((origin) => {
    const headers = { origin, "access-control-request-headers": "x-q" };
    const preflight = { ...headers, "access-control-request-method": "PUT" };
    return [
      { path, headers },
      { path, method: "OPTIONS", headers },
      { path, method: "OPTIONS", headers: preflight },
      {
        path,
        method: "OPTIONS",
        headers: { ...preflight, "access-control-request-private-network": "true" },
      },
    ];
  }),
);
const stats = ["http.test.cors.origin_valid", "http.test.cors.origin_invalid"];

test("CORS answers as in Envoy, level by level", withEnvoy, () =>
  expectSame(
    {
      filters: filter,
      routes: routes.join("\n"),
      virtualHost: `typed_per_filter_config: { cors: ${policy(`${good}, expose_headers: x-host, allow_credentials: true`)} }`,
    },
    questions,
    stats,
  ),
);

test("CORS policies in the older place of the API answer as in Envoy", withEnvoy, () =>
  expectSame(
    {
      filters: filter,
      virtualHost: `cors: { ${good}, expose_headers: x-host }`,
      routes: [
        `- { match: { prefix: /full }, route: { cluster: upstream, cors: { allow_methods: GET, max_age: "5" } } }`,
        "- { match: { prefix: / }, route: { cluster: upstream } }",
      ].join("\n"),
    },
    questions.filter(({ path }) => path === "/full" || path === "/plain"),
    stats,
  ),
);
