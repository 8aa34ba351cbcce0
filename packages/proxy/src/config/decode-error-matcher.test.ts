import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { MatchPredicateSchema } from "@weft/xds/gen/envoy/config/common/matcher/v3/matcher_pb";
import { decodeErrorMatcher } from "./decode-error-matcher.ts";
import { Issues } from "./issues.ts";

type Predicate = Exclude<MessageInitShape<typeof MatchPredicateSchema>, { $typeName: string }>;

const anything: Predicate = { rule: { case: "anyMatch", value: true } };
const not = (inner: Predicate): Predicate => ({ rule: { case: "notMatch", value: inner } });

function problemsOf(predicate: Predicate): string {
  const issues = new Issues();
  decodeErrorMatcher(create(MatchPredicateSchema, predicate), "error_matcher", issues);
  return issues.format();
}

describe("what is an error of an endpoint", () => {
  it("is judged by the head of the answer alone", () => {
    const rule = { case: "httpRequestHeadersMatch" as const, value: { headers: [] } };
    assert.match(
      problemsOf({ rule: { case: "orMatch", value: { rules: [anything, { rule }] } } }),
      /^error_matcher\.or_match\.rules\[1\]: is not implemented by this proxy/,
    );
    assert.match(problemsOf({}), /is not implemented by this proxy/);
  });

  it("is not nested without end", () => {
    const nested = (depth: number): Predicate => (depth === 0 ? anything : not(nested(depth - 1)));
    assert.equal(problemsOf(nested(16)), "");
    assert.match(problemsOf(nested(17)), /is nested more than 16 deep/);
  });
});
