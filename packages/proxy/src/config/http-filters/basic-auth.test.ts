import assert from "node:assert/strict";
import { test } from "node:test";
import { compileText } from "../testing.ts";

const hash = "5en6G6MezRroT3XKqkdPOmY/BfQ=";

function withUsers(...lines: string[]): string {
  const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;
  const users = { inline_string: lines.join("\n") };
  const manager = {
    "@type": type("network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "main",
    route_config: {},
    http_filters: [
      { name: "basic", typed_config: { "@type": type("http.basic_auth.v3.BasicAuth"), users } },
      { name: "router", typed_config: { "@type": type("http.router.v3.Router") } },
    ],
  };
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  const filter_chains = [{ filters: [{ name: "http", typed_config: manager }] }];
  return JSON.stringify({ static_resources: { listeners: [{ name: "main", address, filter_chains }] } });
}

test("blank lines and remarks beside users are none", () => {
  compileText(withUsers("# who may", "", `ann:{SHA}${hash}`, ""));
});

for (const [what, lines, expected] of [
  ["another hash", [`ann:{SHA}${hash}`, "bob:$apr1$x$y"], /users: line 2 is no user with a hash/],
  ["a hash cut short", ["ann:{SHA}5en6G6MezRroT3XKqkdPOmY"], /users: line 1 is no user with a hash/],
  ["no name", [`:{SHA}${hash}`], /users: line 1 is no user with a hash/],
  ["a user twice", [`ann:{SHA}${hash}`, `ann:{SHA}${hash}`], /users: line 2 has a user a second time/],
  ["nobody", ["# all gone"], /users: names nobody/],
] as const) {
  test(`users with ${what} are refused by line, and not shown`, () => {
    assert.throws(
      () => compileText(withUsers(...lines)),
      (error: Error) => expected.test(error.message) && !error.message.includes(hash),
    );
  });
}
