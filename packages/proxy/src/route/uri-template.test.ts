import assert from "node:assert/strict";
import { test } from "node:test";
import { compileFullMatch } from "./string-matcher.ts";
import { parseRewriteTemplate, parseUriTemplate } from "./uri-template.ts";

test("a path template matches segments, the rest, and what a variable may be", () => {
  const cases: readonly (readonly [template: string, path: string, matches: boolean])[] = [
    ["/a", "/a", true],
    ["/a", "/a/", false],
    ["/*/b", "/x/b", true],
    ["/*/b", "/x/y/b", false],
    ["/**", "/", true],
    ["/a/**", "/a/b/c", true],
    ["/a/**.js", "/a/b/c.js", true],
    ["/{v}/c", "/x.y-z~%20/c", true],
    ["/{v=a/*}/c", "/a/x/c", true],
    ["/{v=a/*}/c", "/b/x/c", false],
    ["/a.b", "/aXb", false],
    ["/a", "/a?b", false],
  ];
  for (const [template, path, matches] of cases) {
    assert.equal(compileFullMatch(parseUriTemplate(template).pattern)(path), matches, `${template} ${path}`);
  }
});

test("a path template that is none is refused with the reason", () => {
  const cases: readonly (readonly [template: string, reason: RegExp])[] = [
    ["a", /begins with/],
    ["/a//b", /empty segment/],
    ["/{a", /do not pair/],
    ["/a}", /do not pair/],
    ["/{}", /not a variable/],
    ["/{1a}", /not a variable/],
    ["/{abcdefghijklmnopq}", /at most 16/],
    ["/{a}/{a}", /twice/],
    ["/{a}/{b}/{c}/{d}/{e}/{f}", /at most 5/],
    ["/{a=}", /empty pattern/],
    ["/**/*", /nothing follows/],
    ["/{a=**}/**", /nothing follows/],
    ["/a b", /cannot stand/],
    [`/${"a".repeat(1024)}`, /at most 1024/],
  ];
  for (const [template, reason] of cases) assert.throws(() => parseUriTemplate(template), reason, template);
});

test("a rewrite refers to the variables of its template only", () => {
  assert.equal(parseRewriteTemplate("/x/{b}-{a}", ["a", "b"]), "/x/\\2-\\1");
  assert.throws(() => parseRewriteTemplate("/{c}", ["a"]), /no variable `c`/);
  assert.throws(() => parseRewriteTemplate("x", []), /begins with/);
  assert.throws(() => parseRewriteTemplate("/{a", ["a"]), /do not pair/);
});
