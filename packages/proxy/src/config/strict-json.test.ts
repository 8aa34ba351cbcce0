import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { parseDocument } from "./document.ts";
import { extensionRegistry } from "./extension-registry.ts";
import { Issues } from "./issues.ts";
import { strictJson } from "./strict-json.ts";

function read(cluster: unknown): { readonly json: unknown; readonly issues: readonly string[] } {
  const issues = new Issues();
  const json = strictJson(ClusterSchema, cluster, extensionRegistry, issues);
  return { json, issues: issues.all.map(({ path, message }) => `${path}: ${message}`) };
}

const refused: readonly (readonly [written: unknown, issue: string])[] = [
  [{ lb_policy: "least-request" }, 'lb_policy: "least-request" is not a LbPolicy'],
  [{ lb_policy: "" }, 'lb_policy: "" is not a LbPolicy'],
  [{ lb_policy: "77" }, 'lb_policy: "77" is not a LbPolicy'],
  [{ lb_policy: true }, "lb_policy: true is not a LbPolicy"],
  [{ respect_dns_ttl: "yes" }, 'respect_dns_ttl: expected true or false, not "yes"'],
  [{ respect_dns_ttl: 1 }, "respect_dns_ttl: expected true or false, not 1"],
  [{ name: 5 }, "name: expected text, not 5"],
  [{ connect_timeout: 1 }, "connect_timeout: expected a duration, not 1"],
  [{ connect_timeout: { seconds: 1.5 } }, "connect_timeout.seconds: expected whole seconds, not 1.5"],
  [{ connect_timeout: { seconds: -1 } }, "connect_timeout.seconds: expected whole seconds, not -1"],
  [{ connect_timeout: { nanos: 1e9 } }, "connect_timeout.nanos: expected 0 to 999999999, not 1000000000"],
  [{ connect_timeout: { second: 1 } }, "connect_timeout.second: unknown field"],
  [{ max_requests_per_connection: " 1" }, 'max_requests_per_connection: expected a whole number, not " 1"'],
  [{ max_requests_per_connection: 4_294_967_296 }, "max_requests_per_connection: 4294967296 is out of range"],
  [{ max_requests_per_connection: { value: -1 } }, "max_requests_per_connection.value: -1 is out of range"],
  [{ max_requests_per_connection: { max: 1 } }, "max_requests_per_connection.max: unknown field"],
  [
    { ring_hash_lb_config: { minimum_ring_size: "18446744073709551616" } },
    'ring_hash_lb_config.minimum_ring_size: "18446744073709551616" is out of range',
  ],
  [{ health_checks: {} }, "health_checks: expected a list, not a mapping"],
  [{ health_checks: [null] }, "health_checks[0]: expected a HealthCheck, a mapping, not nothing"],
  [
    { typed_extension_protocol_options: { a: 1 } },
    'typed_extension_protocol_options["a"]: expected a mapping with "@type", not 1',
  ],
];

for (const [written, issue] of refused) {
  test(`${JSON.stringify(written)} is refused, with its place`, () => {
    assert.equal(read(written).issues[0], issue);
  });
}

test("an enum is given by its number, whatever its spelling", () => {
  for (const spelling of ["least_request", "LEAST_REQUEST", "Least_Request", "1", 1]) {
    assert.deepEqual(read({ lbPolicy: spelling }), { json: { lb_policy: 1 }, issues: [] });
  }
});

const repeated: readonly (readonly [file: string, text: string, error: string])[] = [
  ["a.json", '{\n "node": {"id": "a",\n  "id": "b"}}', 'a.json:3:3: "id" is written twice'],
  ["a.json", '{"a": [{"b": "{\\"b\\"", "c": [], "\\u0062": 1}]}', 'a.json:1:33: "b" is written twice'],
  ["a.yaml", "node:\n  id: a\n  id: b\n", "a.yaml:3:3: this key is written twice"],
  ["a.yaml", "node: {}\n---\nnode: {}\n", "a.yaml:2:1: a second document begins here"],
];

for (const [file, text, error] of repeated) {
  test(`${JSON.stringify(text)} is refused: of two values one would be lost`, () => {
    assert.throws(() => parseDocument(file, text), { message: error });
  });
}

test("the same key in different objects, or as a value, is none that is repeated", () => {
  const value = { a: [{ b: "b", c: { b: ["b", "b"] } }, { b: { a: 1 } }], c: "a" };
  assert.deepEqual(parseDocument("a.json", JSON.stringify(value)).value, value);
});
