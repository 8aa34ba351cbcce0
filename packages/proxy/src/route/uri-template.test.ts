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
    ["/a=b", "/a=b", true],
    ["/*", "/x=*", true],
    ["/a/", "/a/", true],
    ["/a/", "/a", false],
    ["/", "/", true],
    ["/a*", "/a*", false],
    ["/a*", "/ab", false],
    ["/a*", "/aaa", true],
    ["/{v=a*}", "/ab", false],
    ["/{v=a*}", "/aa", true],
    ["/{v=a*}", "/", true],
    ["/x/{v=a*}c", "/x/aac", true],
    ["/x/{v=a*}c", "/x/abc", false],
    ["/.*", "/..", true],
    ["/.*", "/ab", false],
    ["/a+b(c)$.d", "/a+b(c)$.d", true],
    ["/a+b", "/aab", false],
    ["/b{v}c/d", "/bxc/d", true],
    ["/b{v}c/d", "/bc/d", false],
    ["/b{v=x}c/d", "/byc/d", false],
    ["/{v=x/*}y/z", "/x/qy/z", true],
    ["/{v=x/*}y/z", "/x/q/z", false],
    ["/{v=**}y/z", "/y/z", true],
    ["/{v=**}y/{w=x}", "/a/b/cy/x", true],
    ["/{v}*", "/", true],
    ["/*=b", "/x=b", true],
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
    ["/a}", /cannot stand/],
    ["/{}", /not a variable/],
    ["/{1a}", /not a variable/],
    ["/{abcdefghijklmnopq}", /at most 16/],
    ["/{a}/{a}", /twice/],
    ["/{a}/{b}/{c}/{d}/{e}/{f}", /at most 5/],
    ["/{a=}", /empty segment/],
    ["/**/*", /nothing follows/],
    ["/{a=**}/**", /nothing follows/],
    ["/a b", /cannot stand/],
    ["", /begins with/],
    ["//", /empty segment/],
    ["/a//", /empty segment/],
    ["/a/b}c", /cannot stand/],
    ["/{a}}", /cannot stand/],
    ["/{a={b}}", /cannot stand/],
    ["/{a}{b}", /cannot stand/],
    ["/b{a}{c}", /cannot stand/],
    ["/*{a}", /cannot stand/],
    ["/a?b", /cannot stand/],
    ["/a\\b", /cannot stand/],
    ["/a|b", /cannot stand/],
    ["/\u00e9", /cannot stand/],
    ["/*.js/x", /ends a path template/],
    ["/**/b{c}", /nothing follows/],
    ["/{a=**/*}", /nothing follows/],
    ["/**/{b}", /nothing follows/],
    ["/{a=/x}", /empty segment/],
    ["/{a=x/}", /empty segment/],
    ["/{a=x//y}", /empty segment/],
    ["/{=a}", /not a variable/],
    ["/{a=*x}", /between slashes only/],
    ["/{a=**.js}", /between slashes only/],
    ["/b{a=*/x}y", /do not pair/],
    ["/a**", /between slashes only/],
    ["/***", /between slashes only/],
    ["/{a}**", /between slashes only/],
    [`/${"a".repeat(256)}`, /at most 256/],
  ];
  for (const [template, reason] of cases) assert.throws(() => parseUriTemplate(template), reason, template);
});

test("a rewrite refers to the variables of its template only", () => {
  assert.equal(parseRewriteTemplate("/x/{b}-{a}", ["a", "b"]), "/x/\\2-\\1");
  assert.throws(() => parseRewriteTemplate("/{c}", ["a"]), /no variable `c`/);
  assert.throws(() => parseRewriteTemplate("x", []), /begins with/);
  assert.throws(() => parseRewriteTemplate("/{a", ["a"]), /do not pair/);
  assert.equal(parseRewriteTemplate("/a*=/{a}1/", ["a"]), "/a*=/\\11/");
  for (const none of [
    "//",
    "/{a}//x",
    "/{}",
    "/{a=*}",
    "/\u00e9",
    "/a?b",
    "/a#b",
    "/{a}}",
    `/${"a".repeat(256)}`,
  ])
    assert.throws(() => parseRewriteTemplate(none, ["a"]), SyntaxError, none);
});
