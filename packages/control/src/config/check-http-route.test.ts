import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseConfig } from "./parse-config.ts";

const head = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec:\n";
const rule = (text: string) => `${head}  rules:\n    - ${text}\n`;
const filter = (text: string) => rule(`filters: [${text}]`);

/** Messages without place and hint. */
function problems(text: string): string[] {
  return parseConfig([{ name: "r.yaml", text }])
    .diagnostics.map(formatDiagnostic)
    .map((line) => line.replace(/^r\.yaml:\d+:\d+: /, "").replace(/ \([^()]*\)$/, ""));
}

describe("an HTTPRoute that the API server would refuse is refused", () => {
  const cases: [name: string, text: string, ...expected: string[]][] = [
    [
      "two references to one parent, of which one names a port",
      `${head}  parentRefs: [{ group: "", kind: Service, name: a }, { group: "", kind: Service, name: a, port: 80 }]\n`,
      'error W1106: spec.parentRefs[1] is a second reference to "a" that is not told from the first',
    ],
    [
      "two references to the same port",
      `${head}  parentRefs: [{ name: a, port: 80 }, { name: a, port: 80 }]\n`,
      'error W1106: spec.parentRefs[1] is a second reference to "a" that is not told from the first',
    ],
    [
      "two rules of one name",
      `${head}  rules: [{ name: a }, { name: a }]\n`,
      'error W1106: spec.rules[1].name: "a" is the name of spec.rules[0] too',
    ],
    [
      "more matches than a route may have",
      `${head}  rules:\n${`    - matches: [${"{ method: GET }, ".repeat(44)}]\n`.repeat(3)}`,
      "error W1105: spec.rules has 132 matches in all",
    ],
    [
      "a service without a port",
      rule("backendRefs: [{ name: a }]"),
      "error W1104: spec.rules[0].backendRefs[0].port is missing",
    ],
    [
      "a path that does not begin",
      rule("matches: [{ path: { value: a } }]"),
      "error W1105: spec.rules[0].matches[0].path.value does not begin with /",
    ],
    [
      "a path that is normalised away",
      rule("matches: [{ path: { type: Exact, value: /a/../b } }]"),
      "error W1105: spec.rules[0].matches[0].path.value contains //, /./ or /../",
    ],
    [
      "a path with an escaped slash",
      rule("matches: [{ path: { value: /a%2Fb } }]"),
      "error W1105: spec.rules[0].matches[0].path.value contains an escaped slash",
    ],
    [
      "a pattern that is none",
      rule("matches: [{ headers: [{ name: a, type: RegularExpression, value: '(' }] }]"),
      "error W1202: spec.rules[0].matches[0].headers[0].value is not a regular expression in RE2 syntax: error parsing regexp: missing closing ): `(`",
    ],
    [
      "two headers of one name in a match",
      rule("matches: [{ headers: [{ name: a, value: b }, { name: a, value: c }] }]"),
      "error W1106: spec.rules[0].matches[0].headers has a twice",
    ],
    [
      "a filter without what it says it is",
      filter("{ type: URLRewrite }"),
      "error W1104: spec.rules[0].filters[0].urlRewrite is missing",
    ],
    [
      "a filter with what it is not",
      filter("{ type: CORS, cors: {}, urlRewrite: {} }"),
      "error W1106: spec.rules[0].filters[0] is a CORS: it has no urlRewrite",
    ],
    [
      "a filter twice",
      filter("{ type: CORS, cors: {} }, { type: CORS, cors: {} }"),
      "error W1106: spec.rules[0].filters[1] is a second CORS",
    ],
    [
      "a redirect and a rewrite",
      filter("{ type: RequestRedirect, requestRedirect: {} }, { type: URLRewrite, urlRewrite: {} }"),
      "error W1106: spec.rules[0].filters redirects and rewrites at once",
    ],
    [
      "a redirect with somewhere to forward to",
      rule(
        "{ filters: [{ type: RequestRedirect, requestRedirect: {} }], backendRefs: [{ name: a, port: 80 }] }",
      ),
      "error W1106: spec.rules[0] redirects and has backendRefs",
    ],
    [
      "a prefix that is replaced, of two",
      rule(
        "{ matches: [{ path: { value: /a } }, { path: { value: /b } }], filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }] }",
      ),
      "error W1106: spec.rules[0].filters[0].urlRewrite.path: it is not clear which prefix is replaced",
    ],
    [
      "a path of the wrong type",
      filter("{ type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replacePrefixMatch: / } } }"),
      "error W1104: spec.rules[0].filters[0].urlRewrite.path.replaceFullPath is missing",
      "error W1106: spec.rules[0].filters[0].urlRewrite.path.replacePrefixMatch: ReplaceFullPath has no such field",
    ],
    [
      "a host set as a header",
      filter("{ type: RequestHeaderModifier, requestHeaderModifier: { remove: [Host] } }"),
      "error W1206: spec.rules[0].filters[0].requestHeaderModifier.remove[0]: the host is not changed as a header",
    ],
    [
      "more copies than requests",
      filter(
        "{ type: RequestMirror, requestMirror: { backendRef: { name: a, port: 80 }, fraction: { numerator: 3, denominator: 2 } } }",
      ),
      "error W1105: spec.rules[0].filters[0].requestMirror.fraction is more than all",
    ],
    [
      "a try that may take longer than the request",
      rule("timeouts: { request: 1s, backendRequest: 2s }"),
      "error W1201: spec.rules[0].timeouts.backendRequest is longer than the request's",
    ],
    [
      "everything beside something in particular",
      filter("{ type: CORS, cors: { allowMethods: ['*', GET] } }"),
      'error W1106: spec.rules[0].filters[0].cors.allowMethods has "*" beside others',
    ],
  ];
  for (const [name, text, ...expected] of cases) {
    it(name, () => assert.deepEqual(problems(text), expected));
  }
});

describe("an ExternalAuth that the API server would refuse, or that means nothing, is refused", () => {
  const asks = (text: string) =>
    problems(filter(`{ type: ExternalAuth, externalAuth: { backendRef: { name: a, port: 80 }, ${text} } }`));
  const at = "spec.rules[0].filters[0].externalAuth";
  const cases: [text: string, expected: string][] = [
    ["protocol: HTTP", `error W1104: ${at}.http is missing`],
    ["protocol: GRPC", `error W1104: ${at}.grpc is missing`],
    ["protocol: HTTP, http: {}, grpc: {}", `error W1106: ${at}.grpc is for protocol GRPC`],
    [
      "protocol: HTTP, http: { allowedHeaders: [x-*] }",
      `error W1105: ${at}.http.allowedHeaders[0]: "x-*" is not the name of a header`,
    ],
    ["protocol: HTTP, http: { path: a }", `error W1105: ${at}.http.path: "a" cannot go before a path`],
    [
      "protocol: HTTP, http: { path: /a/../b }",
      `error W1105: ${at}.http.path: "/a/../b" cannot go before a path`,
    ],
    ["protocol: HTTP, http: { path: /a/ }", `error W1105: ${at}.http.path: "/a/" cannot go before a path`],
  ];
  for (const [text, expected] of cases) it(text, () => assert.deepEqual(asks(text), [expected]));

  it("others are taken", () => {
    assert.deepEqual(asks("protocol: HTTP, http: { path: /a/.b.c, allowedHeaders: [Cookie] }"), []);
    assert.deepEqual(asks("protocol: GRPC, grpc: {}, forwardBody: { maxSize: 10 }"), []);
  });
});

describe("what Weft does not do with an HTTPRoute refuses it by name", () => {
  const cases: [text: string, expected: string][] = [
    [
      filter("{ type: ExtensionRef, extensionRef: { group: a.example, kind: B, name: c } }"),
      "error W1302: HTTPRoute.spec.rules[].filters[].extensionRef is not supported yet: there are none; requests would miss what it does",
    ],
    [
      rule("sessionPersistence: {}\n      backendRefs: [{ name: a, port: 80 }, { name: b, port: 80 }]"),
      "error W1302: spec.rules[0].sessionPersistence: a session is kept within one backend, and each request would go to another by weight",
    ],
    [
      rule("sessionPersistence: { absoluteTimeout: 1h }"),
      "error W1302: spec.rules[0].sessionPersistence: a cookie that ends with the client's session does not end at a time besides",
    ],
    [
      rule("sessionPersistence: { type: Header, header: { name: a }, absoluteTimeout: 1h }"),
      "error W1302: spec.rules[0].sessionPersistence: a header says nothing of when its session ends",
    ],
    [
      rule("sessionPersistence: { type: Header }"),
      "error W1104: spec.rules[0].sessionPersistence: type Header needs header",
    ],
    [
      rule("sessionPersistence: { cookie: { lifetimeType: Permanent } }"),
      "error W1104: spec.rules[0].sessionPersistence: lifetimeType Permanent needs absoluteTimeout",
    ],
    [
      rule(
        "filters: [{ type: URLRewrite, urlRewrite: { hostname: b.example } }]\n      backendRefs: [{ name: a, port: 80, filters: [{ type: RequestRedirect, requestRedirect: {} }] }]",
      ),
      "error W1106: spec.rules[0].backendRefs[0] redirects what its rule rewrites",
    ],
    [
      filter("{ type: CORS, cors: { allowCredentials: true, allowHeaders: ['*'] } }"),
      'error W1302: HTTPRoute.spec.rules[].filters[].cors.allowHeaders "*" with allowCredentials is not supported yet: name the headers',
    ],
  ];
  for (const [text, expected] of cases) {
    it(expected.slice(13, 90), () => assert.deepEqual(problems(text), [expected]));
  }
});

describe("an HTTPRoute as it is written elsewhere is taken", () => {
  for (const version of ["v1", "v1beta1"]) {
    it(`as gateway.networking.k8s.io/${version}, with the status a cluster wrote`, () => {
      const text = `${head.replace("/v1", `/${version}`)}  parentRefs: [{ name: a }]\nstatus: { parents: [] }\n`;
      const { resources, diagnostics } = parseConfig([{ name: "r.yaml", text }]);
      assert.deepEqual(diagnostics, []);
      assert.equal(resources.length, 1);
    });
  }

  it("knows when the cluster made it", () => {
    const text = `${head}  rules: []\n`.replace(
      "name: r",
      'name: r, creationTimestamp: "2026-01-02T03:04:05Z"',
    );
    const [resource] = parseConfig([
      { name: "r.yaml", text: text.replace("  rules: []", "  rules: [{}]") },
    ]).resources;
    assert.equal(resource?.createdAtMs, Date.UTC(2026, 0, 2, 3, 4, 5));
  });
});
