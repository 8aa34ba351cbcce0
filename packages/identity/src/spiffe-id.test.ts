import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "@weft/testkit/properties";
import {
  parseSpiffeId,
  parseTrustDomain,
  pathOf,
  SpiffeIdError,
  trustDomainId,
  trustDomainOf,
} from "./spiffe-id.ts";

test("a SPIFFE ID that follows the standard is taken as it is written", () => {
  const cases = [
    ["spiffe://cluster.local/ns/default/sa/reviews", "cluster.local", "/ns/default/sa/reviews"],
    ["spiffe://example.org", "example.org", ""],
    ["spiffe://a_b-c.0/A.z_9-", "a_b-c.0", "/A.z_9-"],
    ["spiffe://td/...", "td", "/..."],
    [`spiffe://${"t".repeat(255)}/x`, "t".repeat(255), "/x"],
    [`spiffe://td/${"x".repeat(2048 - 12)}`, "td", `/${"x".repeat(2048 - 12)}`],
  ] as const;
  for (const [text, trustDomain, path] of cases) {
    const id = parseSpiffeId(text);
    assert.equal(id, text);
    assert.equal(trustDomainOf(id), trustDomain);
    assert.equal(pathOf(id), path);
  }
});

test("everything else is refused with the rule it breaks", () => {
  const cases: readonly [string, RegExp][] = [
    ["", /does not start with/],
    ["spiffe:/td/x", /does not start with/],
    ["SPIFFE://td/x", /does not start with/],
    ["http://td/x", /does not start with/],
    [" spiffe://td/x", /does not start with/],
    ["spiffe://", /trust domain is empty/],
    ["spiffe:///x", /trust domain is empty/],
    ["spiffe://TD/x", /only lower-case/],
    ["spiffe://td:443/x", /only lower-case/],
    ["spiffe://user@td/x", /only lower-case/],
    ["spiffe://t%64/x", /only lower-case/],
    ["spiffe://td?x", /only lower-case/],
    ["spiffe://té/x", /only lower-case/],
    ["spiffe://td/", /empty path segment/],
    ["spiffe://td/x/", /empty path segment/],
    ["spiffe://td//x", /empty path segment/],
    ["spiffe://td/./x", /path segment "\."/],
    ["spiffe://td/x/..", /path segment "\.\."/],
    ["spiffe://td/x y", /other than letters/],
    ["spiffe://td/x?q", /other than letters/],
    ["spiffe://td/x#f", /other than letters/],
    ["spiffe://td/%2e%2e", /other than letters/],
    ["spiffe://td/x\u0000", /other than letters/],
    ["spiffe://td/x\n", /other than letters/],
    [`spiffe://${"t".repeat(256)}/x`, /at most 255/],
    [`spiffe://td/${"x".repeat(2048)}`, /at most 2048/],
  ];
  for (const [text, rule] of cases) {
    assert.throws(
      () => parseSpiffeId(text),
      (error) => error instanceof SpiffeIdError && rule.test(error.message),
      text,
    );
  }
});

test("whatever is parsed obeys the standard's grammar, and nothing else is thrown", () => {
  const grammar = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/;
  const near = fc
    .array(
      fc.constantFrom("spiffe://", "/", ".", "..", "td", "A", "%2e", "?", "#", "@", ":", "é", "\0", " "),
      {
        maxLength: 12,
      },
    )
    .map((parts) => parts.join(""));
  const input = fc.oneof(
    fc.string(),
    near,
    near.map((rest) => `spiffe://td/${rest}`),
  );
  fc.assert(
    fc.property(input, (text) => {
      let isAccepted = true;
      try {
        parseSpiffeId(text);
      } catch (error) {
        assert.ok(error instanceof SpiffeIdError);
        isAccepted = false;
      }
      assert.equal(isAccepted, grammar.test(text), JSON.stringify(text));
    }),
    { numRuns: 2_000 },
  );
});

test("the ID of a trust domain has no path", () => {
  assert.equal(trustDomainId(parseTrustDomain("cluster.local")), "spiffe://cluster.local");
});
