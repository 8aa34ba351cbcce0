import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "@weft/testkit/properties";
import { httpPlan } from "../listener/test-proxy.ts";
import { normalizePath } from "./path-normalization.ts";

const plan = httpPlan({ normalizePath: true, mergeSlashes: true });

function normalized(path: string, overrides = {}): string {
  const result = normalizePath(path, { ...plan, ...overrides });
  return result.kind === "forward"
    ? result.path
    : result.kind === "redirect"
      ? `redirect ${result.path}`
      : "rejected";
}

describe("a path", () => {
  for (const [path, expected] of [
    ["/a/b?c=../d//e", "/a/b?c=../d//e"],
    ["/a/../b", "/b"],
    ["/a/./b/.", "/a/b/"],
    ["/a/b/..", "/a/"],
    ["/../../x", "/x"],
    ["/a/%2e%2e/b", "/b"],
    ["/a/%2E/b", "/a/b"],
    ["/%41dmin", "/Admin"],
    ["/a%2fb", "/a%2fb"],
    ["/a\\..\\b", "/b"],
    ["//a///b", "/a/b"],
    ["/a/.%2e//b", "/b"],
    ["/...", "/..."],
    ["/%zz", "/%zz"],
  ] as const) {
    it(`${path} becomes ${expected}`, () => assert.equal(normalized(path), expected));
  }

  it("with an escaped slash is handled as configured", () => {
    assert.equal(normalized("/a%2Fb", { escapedSlashes: "reject" }), "rejected");
    assert.equal(normalized("/a%2Fb", { escapedSlashes: "forward" }), "/a/b");
    assert.equal(normalized("/a%5Cb", { escapedSlashes: "redirect" }), "redirect /a/b");
    assert.equal(normalized("/x%2f..%2fadmin", { escapedSlashes: "forward" }), "/admin");
  });

  it("with a NUL is refused", () => assert.equal(normalized("/a%00b"), "rejected"));

  it("stays as it is when normalised again", () => {
    const segment = fc.constantFrom("a", ".", "..", "%2e", "%2E%2e", "%41", "", "\\", "b%20", ".a");
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 8 }), (segments) => {
        const once = normalized(`/${segments.join("/")}`);
        assert.equal(normalized(once), once);
        assert.doesNotMatch(once, /\/\.{1,2}(\/|$)|\/\//);
      }),
    );
  });
});
