import assert from "node:assert/strict";
import { test } from "node:test";
import { ResponseFlag } from "../layer/response-flag.ts";
import { createOperator } from "../telemetry/command-operators.ts";
import { exchange } from "../telemetry/exchange-fixture.ts";
import { decisionOf, decisionText } from "./reply-decision.ts";

test("an answer from elsewhere has no decision of ours, and its operator prints nothing", () => {
  assert.equal(decisionOf(exchange()), undefined);
  assert.equal(createOperator("DYNAMIC_METADATA", "weft.explain")(exchange()), undefined);
  assert.equal(createOperator("DYNAMIC_METADATA", "weft.explain:origin")(exchange()), undefined);
});

test("an unknown part of a decision is refused by name", () => {
  assert.throws(() => createOperator("DYNAMIC_METADATA", "weft.explain:line"), /use by, origin or text/);
});

test("a decision is one line of visible ASCII, however long and whatever is in it", () => {
  const answered = exchange({ flags: ResponseFlag.NoRouteFound, details: "route_not_found" });
  const by = `no virtual host is for a\r\nset-cookie: x\u00e9${"y".repeat(5_000)}`;
  const text = decisionText(answered, { by, origin: "a.yaml:1:1" });
  assert.match(text, /^NR route_not_found; no virtual host is for a\?\?set-cookie: x\?y+$/);
  assert.equal(text.length, 1_024);
});
