import assert from "node:assert/strict";
import { test } from "node:test";
import { compileText } from "./testing.ts";

const extension = (name: string, fields: object = {}) => ({
  name: "x",
  typed_config: { "@type": `type.googleapis.com/envoy.${name}`, ...fields },
});
const header = extension("type.matcher.v3.HttpRequestHeaderMatchInput", { header_name: "x-a" });
const port = extension("extensions.matching.common_inputs.network.v3.DestinationPortInput");
const allow = { action: extension("config.rbac.v3.Action", { name: "all" }) };
const single = (input: object, match: object = { value_match: { exact: "1" } }) => ({
  single_predicate: { input, ...match },
});
const list = (predicate: object, onMatch: object = allow) => ({
  matcher_list: { matchers: [{ predicate, on_match: onMatch }] },
});

/** A listener whose connections, or requests, are judged by a matcher. */
function bootstrap(kind: "network" | "http", rbac: object): string {
  const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;
  const judge = { name: "rbac", typed_config: { "@type": type(`${kind}.rbac.v3.RBAC`), ...rbac } };
  const manager = {
    "@type": type("network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "main",
    route_config: {},
    http_filters: [
      ...(kind === "http" ? [judge] : []),
      { name: "router", typed_config: { "@type": type("http.router.v3.Router") } },
    ],
  };
  const filters = [...(kind === "network" ? [judge] : []), { name: "http", typed_config: manager }];
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  return JSON.stringify({
    static_resources: { listeners: [{ name: "main", address, filter_chains: [{ filters }] }] },
  });
}

function nestedDeeply(): object {
  let predicate: object = single(header);
  for (let i = 0; i < 40; i++) predicate = { not_matcher: predicate };
  return predicate;
}

const mistakes: readonly (readonly [string, object, RegExp])[] = [
  [
    "rules beside a matcher",
    { rules: { policies: {} }, matcher: list(single(header)) },
    /stands beside `rules`/,
  ],
  [
    "an input that nobody knows",
    { matcher: list(single(extension("own.Input"))) },
    /own.Input is not implemented/,
  ],
  ["no input", { matcher: list(single({ name: "x" })) }, /input: is missing/],
  [
    "a header without a name",
    { matcher: list(single(extension("type.matcher.v3.HttpRequestHeaderMatchInput"))) },
    /header_name: is empty/,
  ],
  ["no value to match", { matcher: list(single(header, {})) }, /needs `value_match` or `custom_match`/],
  [
    "a wrong expression",
    { matcher: list(single(header, { value_match: { safe_regex: { google_re2: {}, regex: "(" } } })) },
    /value_match/,
  ],
  [
    "an expression without its engine",
    { matcher: list(single(header, { value_match: { safe_regex: { regex: "a" } } })) },
    /add google_re2/,
  ],
  [
    "one predicate of two",
    { matcher: list({ and_matcher: { predicate: [single(header)] } }) },
    /needs two predicates/,
  ],
  ["no predicate", { matcher: list({}) }, /needs `single_predicate`/],
  ["no action", { matcher: list(single(header), {}) }, /needs `action` or `matcher`/],
  [
    "an action that decides nothing",
    { matcher: list(single(header), { action: header }) },
    /does not decide/,
  ],
  [
    "an action without a name",
    { matcher: list(single(header), { action: extension("config.rbac.v3.Action") }) },
    /name: is empty/,
  ],
  [
    "a tree that is found in no known way",
    { matcher: { matcher_tree: { input: port, custom_match: header } } },
    /custom_match: is no way to find a branch/,
  ],
  ["predicates nested too deep", { matcher: list(nestedDeeply()) }, /nested deeper than 32/],
  [
    "a matcher that goes on",
    { matcher: list(single(header), { ...allow, keep_matching: true }) },
    /`keep_matching` is not implemented/,
  ],
];

for (const [what, rbac, expected] of mistakes) {
  test(`${what}: refused with its place`, () => {
    assert.throws(() => compileText(bootstrap("http", { stat_prefix: undefined, ...rbac })), expected);
  });
}

test("connections are judged by what is known of them, not by requests", () => {
  compileText(bootstrap("network", { stat_prefix: "c", matcher: list(single(port)) }));
  assert.throws(
    () => compileText(bootstrap("network", { stat_prefix: "c", matcher: list(single(header)) })),
    /a connection has no request to look at yet/,
  );
});

const routeAction = (fields: object) => ({ action: extension("config.route.v3.Route", fields) });
const answer = { match: { prefix: "/" }, direct_response: { status: 200 } };

for (const [what, host, expected] of [
  ["routes beside a matcher", { routes: [answer] }, /matcher: stands beside `routes`/],
  [
    "an input that is no header",
    { matcher: list(single(port), routeAction(answer)) },
    /matcher_list\.matchers\[0\]\.predicate.*: routes are chosen by request headers only/,
  ],
  ["an action that is no route", { matcher: list(single(header)) }, /Action is no route/],
  [
    "a list without routes",
    { matcher: list(single(header), { action: extension("config.route.v3.RouteList") }) },
    /routes: is empty/,
  ],
  [
    "a route that goes nowhere",
    { matcher: list(single(header), routeAction({ match: { prefix: "/" } })) },
    /on_match\.action\.typed_config: needs one of `route`, `redirect`, `direct_response`/,
  ],
] as const) {
  test(`a virtual host with ${what} is refused`, () => {
    const matcher = list(single(header), routeAction(answer));
    const config = JSON.parse(bootstrap("http", { stat_prefix: undefined }));
    const manager = config.static_resources.listeners[0].filter_chains[0].filters[0].typed_config;
    manager.route_config = { virtual_hosts: [{ name: "v", domains: ["*"], matcher, ...host }] };
    assert.throws(() => compileText(JSON.stringify(config)), expected);
  });
}

const chains = (matcher: object, ...list: object[]) => {
  const config = JSON.parse(bootstrap("http", { stat_prefix: undefined }));
  const [listener] = config.static_resources.listeners;
  const [{ filters }] = listener.filter_chains;
  filters[0].typed_config.http_filters.shift();
  listener.filter_chain_matcher = matcher;
  listener.filter_chains = list.map((chain) => ({ ...chain, filters }));
  return JSON.stringify(config);
};
const to = (value: string) => ({
  action: { name: "x", typed_config: { "@type": "type.googleapis.com/google.protobuf.StringValue", value } },
});

for (const [what, matcher, given, expected] of [
  [
    "a chain that is not there",
    list(single(port), to("b")),
    [{ name: "a" }],
    /value: there is no filter chain 'b'/,
  ],
  [
    "a chain without a name",
    list(single(port), to("a")),
    [{ name: "a" }, {}],
    /filter_chains\[1\]\.name: is empty/,
  ],
  [
    "two chains of one name",
    list(single(port), to("a")),
    [{ name: "a" }, { name: "a" }],
    /'a' is taken by another/,
  ],
  [
    "matches beside it",
    list(single(port), to("a")),
    [{ name: "a", filter_chain_match: { destination_port: 1 } }],
    /filter_chain_match: is not asked beside/,
  ],
  ["an action that names no chain", list(single(port)), [{ name: "a" }], /Action names no filter chain/],
  [
    "what is known of requests only",
    list(single(header), to("a")),
    [{ name: "a" }],
    /HttpRequestHeaderMatchInput is not known of a connection before its filter chain/,
  ],
] as const) {
  test(`a listener's matcher with ${what} is refused`, () => {
    assert.throws(() => compileText(chains(matcher, ...given)), expected);
  });
}
