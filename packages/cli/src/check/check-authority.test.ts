import assert from "node:assert/strict";
import { test } from "node:test";
import { type AuthorityFacts, checkAuthority } from "./check-authority.ts";
import { CheckList } from "./check-result.ts";

const day = 86_400_000;
const own: AuthorityFacts = {
  rootSubject: "CN=root",
  rootFingerprint: "AB:CD",
  rootNotAfterMs: 365 * day,
  issuerSubject: "CN=root",
  issuerNotAfterMs: 365 * day,
};
const brought = { ...own, issuerSubject: "CN=issuing", issuerNotAfterMs: 100 * day };

const cases: [string, AuthorityFacts, [string, string, RegExp][]][] = [
  ["a root with years to live is well", own, [["root certificate", "ok", /AB:CD/]]],
  [
    "the mesh's own root is to be rotated in its last month",
    { ...own, rootNotAfterMs: 30 * day },
    [["root certificate", "failure", /weft ca rotate/]],
  ],
  [
    "an operator's root is theirs to replace",
    { ...brought, rootNotAfterMs: 29 * day },
    [
      ["root certificate", "failure", /--root-cert/],
      ["issuing certificate", "ok", /CN=issuing/],
    ],
  ],
  [
    "an intermediate is to be replaced in its last week",
    { ...brought, issuerNotAfterMs: 7 * day },
    [
      ["root certificate", "ok", /AB:CD/],
      ["issuing certificate", "failure", /--ca-cert/],
    ],
  ],
  [
    "a signer elsewhere answers for its own",
    { ...own, issuerSubject: undefined, issuerNotAfterMs: undefined },
    [["root certificate", "ok", /AB:CD/]],
  ],
];
for (const [name, facts, expected] of cases) {
  test(name, () => {
    const list = new CheckList("control plane");
    checkAuthority(list, facts, 0);
    assert.equal(list.results.length, expected.length);
    for (const [index, [what, verdict, text]] of expected.entries()) {
      const found = JSON.stringify(list.results[index]);
      assert.ok(found.includes(what) && found.includes(verdict), found);
      assert.match(found, text);
    }
  });
}
