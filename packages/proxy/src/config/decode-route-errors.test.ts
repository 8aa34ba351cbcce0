import assert from "node:assert/strict";
import { test } from "node:test";
import { compileText } from "./testing.ts";

/** A bootstrap whose first route and connection manager hold what is wrong. */
function bootstrap(route: unknown, manager: unknown = {}): string {
  const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;
  return JSON.stringify({
    static_resources: {
      listeners: [
        {
          name: "main",
          address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
          filter_chains: [
            {
              filters: [
                {
                  name: "http",
                  typed_config: {
                    "@type": type("network.http_connection_manager.v3.HttpConnectionManager"),
                    stat_prefix: "main",
                    http_filters: [
                      { name: "router", typed_config: { "@type": type("http.router.v3.Router") } },
                    ],
                    route_config: {
                      virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }],
                    },
                    ...(manager as object),
                  },
                },
              ],
            },
          ],
        },
      ],
      clusters: [{ name: "up", load_assignment: { cluster_name: "up" } }],
    },
  });
}

const action = (fields: object) => ({ match: { prefix: "/" }, route: { cluster: "up", ...fields } });
const retry = (fields: object) => action({ retry_policy: { retry_on: "5xx", ...fields } });
const extension = (name: string, fields: object = {}) => ({
  name: "x",
  typed_config: { "@type": `type.googleapis.com/envoy.extensions.${name}`, ...fields },
});
const template = (text: string) =>
  extension("path.match.uri_template.v3.UriTemplateMatchConfig", { path_template: text });
const rewrite = (text: string) =>
  extension("path.rewrite.uri_template.v3.UriTemplateRewriteConfig", { path_template_rewrite: text });

const mistakes: readonly (readonly [string, unknown, RegExp])[] = [
  ["a retry condition", retry({ retry_on: "5xx,gatway-error" }), /gatway-error.*did you mean gateway-error/],
  ["a host predicate", retry({ retry_host_predicate: [{ name: "own" }] }), /own is not implemented/],
  ["a retry priority", retry({ retry_priority: { name: "own" } }), /own is not implemented/],
  [
    "an options predicate",
    retry({ retry_options_predicates: [{ name: "own" }] }),
    /retry_options_predicates.*not implemented/,
  ],
  [
    "no reset header",
    retry({ rate_limited_retry_back_off: { max_interval: "1s" } }),
    /reset_headers: is empty/,
  ],
  [
    "two path rewrites",
    action({ prefix_rewrite: "/a", path_rewrite: "/b" }),
    /path_rewrite: excludes `prefix_rewrite`/,
  ],
  [
    "a path template",
    { match: { path_match_policy: template("/{a") }, route: { cluster: "up" } },
    /path_template: braces do not pair/,
  ],
  [
    "a rewrite template without a match by one",
    action({ path_rewrite_policy: rewrite("/a") }),
    /needs a route that matches by `path_match_policy`/,
  ],
  [
    "a variable that is not matched",
    {
      match: { path_match_policy: template("/{a}") },
      route: { cluster: "up", path_rewrite_policy: rewrite("/{b}") },
    },
    /no variable `b`/,
  ],
  ["a mirror to an unknown cluster", action({ request_mirror_policies: [{ cluster: "gone" }] }), /gone/],
  [
    "a mirror by two names",
    action({ request_mirror_policies: [{ cluster: "up", cluster_header: "x-a" }] }),
    /cluster_header: excludes `cluster`/,
  ],
  [
    "a weighted cluster by two names",
    {
      match: { prefix: "/" },
      route: { weighted_clusters: { clusters: [{ name: "up", cluster_header: "x-a", weight: 1 }] } },
    },
    /cluster_header: excludes `name`/,
  ],
  [
    "weights by a hash of nothing",
    {
      match: { prefix: "/" },
      route: { weighted_clusters: { use_hash_policy: true, clusters: [{ name: "up", weight: 1 }] } },
    },
    /use_hash_policy: needs a `hash_policy`/,
  ],
  [
    "a plugin that chooses clusters",
    { match: { prefix: "/" }, route: { cluster_specifier_plugin: "own" } },
    /cluster_specifier_plugin.*not implemented/,
  ],
  [
    "a negative limit",
    action({ max_stream_duration: { max_stream_duration: "-1s" } }),
    /max_stream_duration: a duration cannot be negative/,
  ],
];

for (const [what, route, expected] of mistakes) {
  test(`${what} that is wrong is named with its place`, () => {
    assert.throws(() => compileText(bootstrap(route)), expected);
  });
}

test("mappers of local replies are checked", () => {
  const mappers = [{ status_code: 99 }];
  const text = bootstrap(action({}), { local_reply_config: { mappers } });
  assert.throws(() => compileText(text), /mappers\[0\]\.filter: is missing.*99 is not a response status/s);
});
