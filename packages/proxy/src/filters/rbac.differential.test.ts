import { test } from "node:test";
import { keySet, TestKey } from "./jwt/jwt-fixture.ts";
import { expectSame, type Sent, withEnvoy } from "./side-by-side-fixture.ts";

const http = "type.googleapis.com/envoy.extensions.filters.http";
const any = "permissions: [{ any: true }]";
const anyone = "principals: [{ any: true }]";
const rbac = (name: string, body: string) => `
- name: ${name}
  typed_config: { "@type": ${http}.rbac.v3.RBAC, ${body} }
`;
const key = new TestKey("ES256", "k");
const jwt = `
- name: jwt
  typed_config:
    "@type": ${http}.jwt_authn.v3.JwtAuthentication
    providers: { p: { issuer: me, payload_in_metadata: claims, local_jwks: { inline_string: ${JSON.stringify(keySet(key))} } } }
    rules: [{ match: { prefix: / }, requires: { requires_any: { requirements: [{ provider_name: p }, { allow_missing: {} }] } } }]
`;
const claim = (path: readonly string[], value: string, more = "") =>
  `{ filter: envoy.filters.http.jwt_authn, path: [${["claims", ...path].map((one) => `{ key: ${one} }`).join(", ")}], value: { ${value} }${more} }`;

const claimPolicies: Readonly<Record<string, string>> = {
  text: claim(["sub"], "string_match: { prefix: an }"),
  list: claim(["groups"], "list_match: { one_of: { string_match: { exact: admin } } }"),
  nested: claim(["realm", "roles"], "list_match: { one_of: { string_match: { exact: owner } } }"),
  number: claim(["level"], "double_match: { range: { start: 3, end: 5 } }"),
  exactly: claim(["level"], "double_match: { exact: 4 }"),
  yes: claim(["isPaying"], "bool_match: true"),
  present: claim(["sub"], "present_match: true"),
  absent: claim(["sub"], "present_match: false"),
  inverted: claim(["sub"], "string_match: { exact: ann }", ", invert: true"),
  nothing: claim(["nothing"], "null_match: {}"),
  either: claim(
    ["sub"],
    "or_match: { value_matchers: [{ string_match: { exact: bob } }, { string_match: { exact: ann } }] }",
  ),
};
const tokens: readonly (object | undefined)[] = [
  undefined,
  { sub: "ann" },
  { sub: "bob", groups: ["dev", "admin"], level: 4, isPaying: true },
  { sub: "ann", groups: "admin", level: 5, isPaying: false, nothing: null },
  { sub: "eve", groups: [], realm: { roles: ["owner"] }, level: 3 },
  { realm: "owner", level: "4", isPaying: "true" },
];

test("policies match claims, nested and in lists, as in Envoy", withEnvoy, () => {
  const policies = Object.entries(claimPolicies).flatMap(([name, matcher]) => [
    `"${name}": { permissions: [{ url_path: { path: { exact: /principal/${name} } } }], principals: [{ metadata: ${matcher} }] }`,
    `"p ${name}": { permissions: [{ and_rules: { rules: [{ url_path: { path: { exact: /permission/${name} } } }, { metadata: ${matcher} }] } }], ${anyone} }`,
    `"s ${name}": { permissions: [{ url_path: { path: { exact: /sourced/${name} } } }], principals: [{ sourced_metadata: { metadata_matcher: ${matcher} } }] }`,
  ]);
  return expectSame(
    { filters: jwt + rbac("rbac", `rules: { action: ALLOW, policies: { ${policies.join(", ")} } }`) },
    Object.keys(claimPolicies).flatMap((name) =>
      ["principal", "permission", "sourced"].flatMap((kind) =>
        tokens.map((payload): Sent => {
          const path = `/${kind}/${name}`;
          if (!payload) return { path };
          const token = key.token({ iss: "me", ...payload });
          return { path, headers: { authorization: `Bearer ${token}` } };
        }),
      ),
    ),
  );
});

test("policies are counted one by one, and shadow rules under their prefix, as in Envoy", withEnvoy, () =>
  expectSame(
    {
      filters: rbac(
        "rbac",
        `track_per_rule_stats: true, rules_stat_prefix: rp_, shadow_rules_stat_prefix: sp_,
    rules: { action: DENY, policies: { "a b": { permissions: [{ url_path: { path: { prefix: /a } } }], ${anyone} } } },
    shadow_rules: { action: ALLOW, policies: { s: { ${any}, ${anyone} } } }`,
      ),
      log: "%RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(envoy.filters.http.rbac:sp_shadow_effective_policy_id)%",
    },
    [{ path: "/a" }, { path: "/b" }, { path: "/a/c" }],
    [
      "http.test.rbac.rp_.allowed",
      "http.test.rbac.rp_.denied",
      "http.test.rbac.rp_.policy.a b.denied",
      "http.test.rbac.sp_.policy.s.shadow_allowed",
      "http.test.rbac.sp_.shadow_allowed",
      "http.test.rbac.sp_.shadow_denied",
    ],
  ),
);

test("path templates decide as in Envoy", withEnvoy, () => {
  const template = (text: string) =>
    `{ uri_template: { name: t, typed_config: { "@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: "${text}" } } }`;
  const templates = ["/one/*/end", "/rest/**", "/named/{id}/x", "/pat/{id=a*}", "/{id=b/*}c/{d}"];
  return expectSame(
    {
      filters: rbac(
        "rbac",
        `rules: { action: ALLOW, policies: { t: { permissions: [${templates.map(template).join(", ")}], ${anyone} } } }`,
      ),
    },
    [
      "/one/a/end",
      "/one/a/b/end",
      "/one//end",
      "/one/a/end?q",
      "/rest/",
      "/rest/a/b",
      "/rest",
      "/named/1/x",
      "/named/1/y",
      "/pat/ab",
      "/pat/aa",
      "/pat/",
      "/pat/b",
      "/b/xc/y",
      "/b/x/y",
      "/",
    ].map((path) => ({ path })),
  );
});
