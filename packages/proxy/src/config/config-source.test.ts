import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ConfigSourceSchema } from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import { decodeConfigSource, parseSource } from "./config-source.ts";
import { Issues } from "./issues.ts";

function decode(json: JsonValue) {
  const issues = new Issues();
  const context = { issues, hasAds: true, staticClusters: new Set(["xds", "a cluster#1"]) };
  return { chosen: decodeConfigSource(fromJson(ConfigSourceSchema, json), "s", context), issues };
}

const grpc = (more: object = {}, type = "GRPC", cluster = "xds") => ({
  apiConfigSource: {
    apiType: type,
    grpcServices: [{ envoyGrpc: { clusterName: cluster }, ...more }],
  },
});

const cases: readonly [json: JsonValue, source: string | RegExp, origin: object][] = [
  [{ ads: {} }, "ads", { kind: "ads" }],
  [{ path: "/etc/x" }, "path:%2Fetc%2Fx", { kind: "path", file: "/etc/x", watched: undefined }],
  [
    { pathConfigSource: { path: "/a b#c", watchedDirectory: { path: "/d e" } } },
    /^path:\S+$/,
    { kind: "path", file: "/a b#c", watched: "/d e" },
  ],
  [grpc(), "grpc:xds", { kind: "grpc", cluster: "xds", isDelta: false, authority: undefined, metadata: [] }],
  [
    grpc({ initialMetadata: [{ key: "k", value: "v 1" }] }, "DELTA_GRPC", "a cluster#1"),
    /^grpc:\S+$/,
    { kind: "grpc", cluster: "a cluster#1", isDelta: true, authority: undefined, metadata: [["k", "v 1"]] },
  ],
];
for (const [json, source, origin] of cases) {
  test(`${JSON.stringify(json)} is one text without blanks, which names it again`, () => {
    const { chosen } = decode(json);
    if (typeof source === "string") assert.equal(chosen?.source, source);
    else assert.match(chosen?.source ?? "", source);
    assert.deepEqual({ ...parseSource(chosen!.source) }, { ...origin });
  });
}

test("what is waited for is 15 seconds, or as said, or for ever", () => {
  assert.equal(decode({ ads: {} }).chosen?.fetchTimeoutMs, 15_000);
  assert.equal(decode({ ads: {}, initialFetchTimeout: "2s" }).chosen?.fetchTimeoutMs, 2_000);
  assert.equal(decode({ ads: {}, initialFetchTimeout: "0s" }).chosen?.fetchTimeoutMs, 0);
});

test("a source that cannot be asked is refused by name", () => {
  assert.match(decode(grpc({}, "REST")).issues.format(), /api_type: REST is not spoken/);
  assert.match(decode(grpc({}, "GRPC", "nobody")).issues.format(), /unknown cluster 'nobody'/);
  assert.match(decode({}).issues.format(), /needs one of/);
});
