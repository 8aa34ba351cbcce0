import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { supportOf } from "./check-support.ts";
import { meshKinds } from "./kinds.ts";
import { kindSchemas, type PublishedSchema } from "./schema.ts";
import { fieldSupport } from "./support.ts";

/** Every leaf of a schema as a pattern: `spec.http[].match[].headers.*.exact`. */
function leaves(schema: PublishedSchema, path: string): string[] {
  if (schema.properties) {
    return Object.entries(schema.properties).flatMap(([name, s]) => leaves(s, `${path}.${name}`));
  }
  if (schema.items) return leaves(schema.items, `${path}[]`);
  return typeof schema.additionalProperties === "object"
    ? leaves(schema.additionalProperties, `${path}.*`)
    : [path];
}

describe("the table of supported fields", () => {
  for (const kind of meshKinds) {
    it(`says something about every field of ${kind}`, () => {
      const silent = leaves(kindSchemas[kind].spec, "spec").filter((path) => !supportOf(kind, path));
      assert.deepEqual(silent, []);
    });

    it(`names no field that ${kind} does not have`, () => {
      const known = leaves(kindSchemas[kind].spec, "spec");
      const covers = (row: string) =>
        known.some((leaf) => leaf === row || (/^[.[]/.test(leaf.slice(row.length)) && leaf.startsWith(row)));
      const unknown = fieldSupport.filter((row) => row.kind === kind && !covers(row.path));
      assert.deepEqual(
        unknown.map((row) => row.path),
        [],
      );
    });
  }

  it("explains every field that is not supported", () => {
    const bare = fieldSupport.filter((row) => row.support !== "yes" && row.note === "");
    assert.deepEqual(bare, []);
  });
});
