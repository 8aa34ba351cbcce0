import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson } from "@bufbuild/protobuf";
import { KeyValueMutationSchema } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { exchange } from "../telemetry/exchange-fixture.ts";
import { decodeQueryMutations } from "./decode-query-mutations.ts";
import { Issues } from "./issues.ts";
import { fakeFactories } from "./testing.ts";

test("a query's parameters keep their order and spelling but for the one that is changed", () => {
  const issues = new Issues();
  const append = { record: { key: "a b", value: "ü&" }, action: "OVERWRITE_IF_EXISTS" };
  const mutations = [
    fromJson(KeyValueMutationSchema, { append }),
    fromJson(KeyValueMutationSchema, { remove: "c" }),
  ];
  const mutate = decodeQueryMutations(mutations, "", { issues, factories: fakeFactories() } as never)!;
  assert.ok(issues.isEmpty);
  assert.equal(
    mutate("/p?z=%31&a%20b=1&b&c=3&%63=4&bad=%zz", exchange()),
    "/p?z=%31&a%20b=%C3%BC%26&b&bad=%zz",
  );
  assert.equal(mutate("/p", exchange()), "/p");
});
