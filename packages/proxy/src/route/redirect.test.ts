import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../layer/header-list.ts";
import { rewritePrefix, rewriteRegex, rewriteWhole } from "./path-rewrite.ts";
import { compileRedirect, type RedirectSpec } from "./redirect.ts";

const nothing: RedirectSpec = {
  scheme: undefined,
  host: undefined,
  port: undefined,
  path: undefined,
  rewrite: undefined,
  stripQuery: false,
};

test("a redirect changes only what it says", () => {
  const cases: readonly (readonly [
    Partial<RedirectSpec>,
    authority: string,
    path: string,
    location: string,
  ])[] = [
    [{ scheme: "https" }, "a.com", "/p?q=1", "https://a.com/p?q=1"],
    [{ scheme: "https" }, "a.com:80", "/", "https://a.com/"],
    [{ scheme: "https" }, "a.com:8080", "/", "https://a.com:8080/"],
    [{ scheme: "https", port: 8443 }, "a.com:8080", "/", "https://a.com:8443/"],
    [{ port: 81 }, "[::1]:80", "/", "http://[::1]:81/"],
    [{ host: "b.com" }, "a.com", "/p", "http://b.com/p"],
    [{ path: "/new" }, "a.com", "/p?q=1", "http://a.com/new?q=1"],
    [{ path: "/new?x" }, "a.com", "/p?q=1", "http://a.com/new?x"],
    [{ path: "/new", stripQuery: true }, "a.com", "/p?q=1", "http://a.com/new"],
    [{ stripQuery: true }, "a.com", "/p?q=1", "http://a.com/p"],
    [{ rewrite: rewritePrefix(2, "/new") }, "a.com", "/p/x?q", "http://a.com/new/x?q"],
    [{ rewrite: rewriteRegex("^/p/(.*)$", "/\\1/$p") }, "a.com", "/p/x?q", "http://a.com/x/$p?q"],
    [{ rewrite: rewriteWhole("/all") }, "a.com", "/p/x?q", "http://a.com/all?q"],
  ];
  for (const [change, authority, path, expected] of cases) {
    const location = compileRedirect({ ...nothing, ...change });
    const head = {
      method: "GET",
      path,
      authority,
      scheme: "http" as const,
      headers: new HeaderList(),
      upgrade: "",
    };
    assert.equal(location(head), expected);
  }
});

test("a substitution that refers to no group is refused", () => {
  assert.throws(() => rewriteRegex("a", "\\x"), /group reference/);
  assert.throws(() => rewriteRegex("(", ""), SyntaxError);
  assert.throws(() => rewriteRegex("(?=a)", ""), SyntaxError, "look-around is not RE2");
});
