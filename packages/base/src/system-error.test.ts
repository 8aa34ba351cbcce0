import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { reasonOf } from "./system-error.ts";

test("a reason never repeats the path or the address", async () => {
  const missing = new URL("./nonexistent", import.meta.url);
  assert.throws(
    () => readFileSync(missing),
    (error) => reasonOf(error) === "does not exist",
  );
  const refused = await new Promise((resolve) => {
    connect({ host: "127.0.0.1", port: 1 }).on("error", resolve);
  });
  assert.equal(reasonOf(refused), "connection refused");
  const severalAddresses = Object.assign(new AggregateError([refused]), { code: "ECONNREFUSED" });
  assert.equal(reasonOf(severalAddresses), "connection refused", "its own message is empty");
});

test("what is no error of the system keeps its message", () => {
  assert.equal(reasonOf(new Error("certificate has expired")), "certificate has expired");
  assert.equal(reasonOf(Object.assign(new Error("odd"), { code: "ERR_TLS_ODD" })), "odd");
  assert.equal(reasonOf("text"), "text");
});
