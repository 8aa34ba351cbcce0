import assert from "node:assert/strict";
import { test } from "node:test";
import { formatLocation, parseLocation } from "./location.ts";

const places = [
  { page: "overview", about: "", options: {} },
  { page: "topology", about: "", options: { namespace: "bookinfo", focus: "default/reviews" } },
  { page: "services", about: "default/reviews", options: {} },
  { page: "services", about: "/api.example.com", options: { q: "a b&c=d?e#f" } },
  { page: "control-plane", about: "", options: { resource: "VirtualService/default/a%b" } },
] as const;
for (const place of places) {
  const address = formatLocation(place);
  test(`${address} is read as it was written`, () => assert.deepEqual(parseLocation(address), place));
}

test("an address that nobody wrote is the overview", () => {
  for (const hash of ["", "#", "#/nothing/here", "#/services/%zz"]) {
    assert.equal(typeof parseLocation(hash).page, "string");
  }
  assert.deepEqual(parseLocation("#/nothing/here"), { page: "overview", about: "", options: {} });
});

test("options without value are not in the address", () => {
  assert.equal(formatLocation({ page: "topology", options: { namespace: "" } }), "#/topology");
});
