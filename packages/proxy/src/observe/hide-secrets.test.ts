import assert from "node:assert/strict";
import { test } from "node:test";
import { isSecretName, shownFields, shownPath } from "./hide-secrets.ts";

test("names that say a value is secret are known, in fields and parameters", () => {
  const secret =
    "authorization proxy-authorization cookie set-cookie x-api-key apikey x-auth-token access_token client_secret password sig code key sessionid X-Amz-Signature x-csrf-token";
  for (const name of secret.split(" ")) assert.ok(isSecretName(name), name);
  const shown =
    "author authors x-request-id user-agent accept end-user keyboard design postcode x-forwarded-for";
  for (const name of shown.split(" ")) assert.ok(!isSecretName(name), name);
});

test("a path is shown without the values of secret parameters, and not in full when it is long", () => {
  assert.equal(shownPath("/a?x=1&token=abc&y"), "/a?x=1&token=***&y");
  assert.equal(shownPath("/a?%74oken=abc"), "/a?%74oken=***", "a name is decoded before it is judged");
  assert.equal(shownPath("/a?%zz=1"), "/a?%zz=1");
  assert.equal(shownPath(`/${"x".repeat(5_000)}`).length, 2_049);
});

test("fields are shown without secret values", () => {
  assert.deepEqual(shownFields(["authorization", "Bearer x", "accept", "*/*"]), [
    "authorization",
    "***",
    "accept",
    "*/*",
  ]);
});
