import { test } from "node:test";
import { expectSame, type Sent, withEnvoy } from "./side-by-side-fixture.ts";

const inputs = "type.googleapis.com/envoy.extensions.matching.common_inputs";
const plain = (kind: string) => `{ name: input, typed_config: { "@type": "${inputs}.${kind}" } }`;
const header = (name: string) =>
  `{ name: input, typed_config: { "@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: "${name}" } }`;
const action = (name: string, decision = "ALLOW") =>
  `{ action: { name: a, typed_config: { "@type": type.googleapis.com/envoy.config.rbac.v3.Action, name: "${name}", action: ${decision} } } }`;
const single = (input: string, match: string) => `{ single_predicate: { input: ${input}, ${match} } }`;
const value = (input: string, match: string) => single(input, `value_match: { ${match} }`);
const inRange = (input: string, range: string) =>
  single(
    input,
    `custom_match: { name: ip, typed_config: { "@type": type.googleapis.com/envoy.extensions.matching.input_matchers.ip.v3.Ip, stat_prefix: ip, cidr_ranges: [${range}] } }`,
  );
const path = (text: string) => value(header(":path"), `prefix: ${text}`);
const both = (...all: string[]) => `{ and_matcher: { predicate: [${all.join(", ")}] } }`;
const either = (...all: string[]) => `{ or_matcher: { predicate: [${all.join(", ")}] } }`;
const entry = (predicate: string, onMatch: string) => `{ predicate: ${predicate}, on_match: ${onMatch} }`;
const list = (entries: readonly string[], otherwise?: string) =>
  `{ matcher_list: { matchers: [${entries.join(", ")}] }${otherwise ? `, on_no_match: ${otherwise}` : ""} }`;
const tree = (kind: string, input: string, map: Readonly<Record<string, string>>, otherwise?: string) => {
  const branches = Object.entries(map).map(([key, onMatch]) => `"${key}": ${onMatch}`);
  return `{ matcher_tree: { input: ${input}, ${kind}_match_map: { map: { ${branches.join(", ")} } } }${otherwise ? `, on_no_match: ${otherwise}` : ""} }`;
};
const nested = (matcher: string) => `{ matcher: ${matcher} }`;

const rbac = (body: string) => `
- name: rbac
  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC, ${body} }
`;
const log =
  "%RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(envoy.filters.http.rbac)% %DYNAMIC_METADATA(envoy.common:access_log_hint)%";
const statistics = ["allowed", "denied", "shadow_allowed", "shadow_denied"].map(
  (name) => `http.test.rbac.${name}`,
);
const paths = (...all: string[]): Sent[] => all.map((one) => ({ path: one }));

test("predicates of a list decide as in Envoy, the first that matches", withEnvoy, () => {
  const entries = [
    entry(both(path("/a"), value(header("x-team"), "exact: red")), action("red team")),
    entry(either(path("/b"), value(header("X-Open"), "exact: 'yes'")), action("open")),
    entry(both(path("/c"), `{ not_matcher: ${value(header("x-team"), "contains: e")} }`), action("no e")),
    entry(value(header(":path"), "safe_regex: { google_re2: {}, regex: '/v[0-9]+.*' }"), action("versions")),
    entry(both(path("/d"), value(header(":method"), "exact: post, ignore_case: true")), action("writes")),
    entry(value(header(":authority"), "suffix: .example"), action("examples")),
    entry(path("/none"), action("refused", "DENY")),
    entry(value(header("x-many"), "exact: 'one,two'"), action("joined")),
  ];
  return expectSame(
    { filters: rbac(`matcher: ${list(entries)}`), log },
    [
      ...paths("/a", "/b/x", "/c", "/", "/v1", "/v", "/x/v1", "/v22/x?y", "/none?q=x"),
      { path: "/a", headers: { "x-team": "red" } },
      { path: "/a", headers: { "x-team": ["red", "blue"] } },
      { path: "/", headers: { "x-open": "yes" } },
      { path: "/c", headers: { "x-team": "red" } },
      { path: "/c", headers: { "x-team": "blu" } },
      { path: "/d", method: "POST" },
      { path: "/d" },
      { path: "/", host: "www.example" },
      { path: "/none" },
      { path: "/", headers: { "x-many": ["one", "two"] } },
    ],
    statistics,
  );
});

test("trees of values decide as in Envoy, also where a branch comes to nothing", withEnvoy, () => {
  const onlyWrites = list([entry(value(header(":method"), "exact: POST"), action("writes"))]);
  const matcher = list(
    [
      entry(
        path("/prefix"),
        nested(
          tree(
            "prefix",
            header(":path"),
            {
              "/prefix/": action("all"),
              "/prefix/deep": nested(onlyWrites),
              "/prefix/deeper": action("deeper", "DENY"),
            },
            action("outside", "DENY"),
          ),
        ),
      ),
      entry(
        path("/exact"),
        nested(
          tree("exact", header(":path"), {
            "/exact/one": action("one"),
            "/exact/two": nested(onlyWrites),
          }),
        ),
      ),
      entry(path("/exact/two"), action("second chance", "DENY")),
    ],
    action("rest"),
  );
  return expectSame(
    { filters: rbac(`matcher: ${matcher}`), log },
    [
      ...paths("/prefix", "/prefix/a", "/prefix/deep", "/prefix/deep/a", "/prefix/deeper", "/exact/one"),
      ...paths("/exact/two", "/exact/three", "/", "/exact"),
      { path: "/prefix/deep", method: "POST" },
      { path: "/exact/two", method: "POST" },
    ],
    statistics,
  );
});

test("addresses, ports and names of a connection decide as in Envoy", withEnvoy, () => {
  const here = "{ address_prefix: 127.0.0.0, prefix_len: 8 }";
  const entries = [
    entry(both(path("/1"), inRange(plain("network.v3.SourceIPInput"), here)), action("from here")),
    entry(
      both(
        path("/2"),
        inRange(plain("network.v3.DestinationIPInput"), "{ address_prefix: 10.0.0.0, prefix_len: 8 }"),
      ),
      action("elsewhere"),
    ),
    entry(
      both(
        path("/3"),
        value(plain("network.v3.DestinationPortInput"), "safe_regex: { google_re2: {}, regex: '[0-9]+' }"),
      ),
      action("port"),
    ),
    entry(
      both(
        path("/4"),
        value(
          `{ name: input, typed_config: { "@type": "${inputs}.network.v3.DynamicMetadataInput", filter: f, path: [{ key: k }] } }`,
          "exact: x",
        ),
      ),
      action("noted"),
    ),
    entry(both(path("/5"), value(plain("network.v3.ServerNameInput"), "exact: x")), action("a name")),
    entry(both(path("/6"), value(plain("ssl.v3.UriSanInput"), "contains: spiffe")), action("an identity")),
    entry(
      both(path("/7"), value(plain("network.v3.DirectSourceIPInput"), "exact: 127.0.0.1")),
      action("directly"),
    ),
  ];
  return expectSame(
    { filters: rbac(`matcher: ${list(entries)}`), log },
    paths("/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8"),
    statistics,
  );
});

test("what is logged, and what a shadow says, is as in Envoy", withEnvoy, () => {
  const enforced = list([entry(path("/logged"), action("logged", "LOG"))], action("rest"));
  const shadow = list([entry(path("/logged"), action("shadowed"))]);
  return expectSame(
    { filters: rbac(`matcher: ${enforced}, shadow_matcher: ${shadow}, shadow_rules_stat_prefix: sp_`), log },
    paths("/logged", "/other"),
    [...statistics, "http.test.rbac.sp_.shadow_allowed", "http.test.rbac.sp_.shadow_denied"],
  );
});
