import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { createFileRegistry, createRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { ModuleFilterSchema } from "@weft/xds/gen/weft/filters/http/module/v1/module_filter_pb";
import { supportTable } from "./support-table.ts";

const descriptors = new URL("../../../xds/proto/xds.binpb.gz", import.meta.url);
const api = createRegistry(
  createFileRegistry(fromBinary(FileDescriptorSetSchema, gunzipSync(readFileSync(descriptors)))),
  ModuleFilterSchema,
);

test("the support table names only messages and fields of the API, each field once", () => {
  for (const [typeName, support] of Object.entries(supportTable)) {
    const message = api.getMessage(typeName);
    assert.ok(message, `${typeName} is no message of the API`);
    const fields = message.fields.map((field) => field.name);
    const listed = [
      ...support.implemented.split(" "),
      ...Object.keys(support.harmless ?? {}),
      ...(support.neutral ?? "").split(" "),
    ].filter((name) => name !== "");
    for (const name of listed) assert.ok(fields.includes(name), `${typeName} has no field ${name}`);
    assert.equal(new Set(listed).size, listed.length, `${typeName} lists a field twice`);
  }
});

test("every message that an implemented field holds is in the table", () => {
  for (const [typeName, support] of Object.entries(supportTable)) {
    const implemented = new Set(support.implemented.split(" "));
    for (const field of api.getMessage(typeName)?.fields ?? []) {
      const held = field.message?.typeName;
      if (!implemented.has(field.name) || !held || held.startsWith("google.protobuf.")) continue;
      assert.ok(held in supportTable, `${typeName}.${field.name} holds a ${held}, which is not in the table`);
    }
  }
});
