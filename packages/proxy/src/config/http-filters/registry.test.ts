import assert from "node:assert/strict";
import { test } from "node:test";
import { extensionRegistry } from "../extension-registry.ts";
import { supportTable } from "../support-table.ts";
import { httpFilterTypes } from "./registry.ts";

test("every filter's messages may stand in an Any, and the support table says what is done with them", () => {
  for (const type of httpFilterTypes) {
    for (const typeName of [type.typeName, type.route?.typeName ?? type.typeName]) {
      assert.ok(extensionRegistry.getMessage(typeName), `${typeName} is not in the extension registry`);
      assert.ok(typeName in supportTable, `${typeName} is not in the support table`);
    }
  }
});
