import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeReview } from "./judge-review.ts";

const user = {
  username: "system:serviceaccount:shop:reviews",
  groups: ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
  extra: {
    "authentication.kubernetes.io/pod-name": ["reviews-1"],
    "authentication.kubernetes.io/pod-uid": ["0815"],
  },
};
const status = { authenticated: true, user, audiences: ["weft"] };

test("a token of a service account, for the audience and bound to a pod, proves both", () => {
  assert.deepEqual(judgeReview({ status }, "weft"), {
    isGood: true,
    bound: { namespace: "shop", serviceAccount: "reviews", pod: "reviews-1", podUid: "0815" },
  });
});

const extraOf = (extra: object) => ({ ...status, user: { ...user, extra: { ...user.extra, ...extra } } });
const userOf = (other: object) => ({ ...status, user: { ...user, ...other } });
const cases: readonly (readonly [what: string, status: object, fault: RegExp])[] = [
  ["not authenticated", { authenticated: false, error: "expired" }, /^not authenticated: expired$/],
  ["authenticated only as a word", { ...status, authenticated: "true" }, /^not authenticated/],
  ["for another audience", { ...status, audiences: ["vault"] }, /audience weft/],
  ["by a server that looks at no audience", { authenticated: true, user }, /audience weft/],
  ["a person", userOf({ username: "admin" }), /admin is no service account/],
  ["a node", userOf({ username: "system:node:one" }), /is no service account/],
  ["without a name", userOf({ username: undefined }), /it is no service account/],
  ["without an account", userOf({ username: "system:serviceaccount:shop:" }), /is no service account/],
  [
    "with more after it",
    userOf({ username: "system:serviceaccount:shop:reviews:x" }),
    /is no service account/,
  ],
  ["a person who is called like one", userOf({ groups: ["system:masters"] }), /not of the groups/],
  ["of another namespace's group", userOf({ groups: ["system:serviceaccounts"] }), /not of the groups/],
  ["bound to nothing", userOf({ extra: undefined }), /not bound to a pod/],
  ["bound to a pod without a number", extraOf({ "authentication.kubernetes.io/pod-uid": [] }), /not bound/],
  ["bound to two pods", extraOf({ "authentication.kubernetes.io/pod-name": ["a", "b"] }), /not bound/],
];
for (const [what, answer, fault] of cases) {
  test(`a token that is ${what} proves nothing`, () => {
    const verdict = judgeReview({ status: answer }, "weft");
    assert.ok(!verdict.isGood);
    assert.match(verdict.fault, fault);
  });
}

test("what is no answer to a review is an error, not a refusal", () => {
  for (const answer of [undefined, null, [], "yes", {}, { status: "true" }]) {
    assert.throws(() => judgeReview(answer, "weft"), /no TokenReview/);
  }
});
