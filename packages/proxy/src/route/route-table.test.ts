import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import type { PathSpec } from "./path-matcher.ts";
import { compileHeaderMatcher, compileQueryParameter, type RequestPredicate } from "./request-matcher.ts";
import type { RouteSpec } from "./route-list.ts";
import type { RoutePlan } from "./route-plan.ts";
import { compileRouteTable, type VirtualHostSpec } from "./route-table.ts";
import { compileStringMatcher } from "./string-matcher.ts";

function request(path: string, authority = "host", headers: Record<string, string> = {}): RequestHead {
  const flat = Object.entries(headers).flat();
  return { method: "GET", path, authority, scheme: "http", headers: new HeaderList(flat), upgrade: "" };
}

function plan(name: string): RoutePlan {
  return {
    name,
    action: { kind: "direct-response", status: 200, body: undefined },
    requestEdits: undefined,
    responseEdits: undefined,
    filterConfigs: undefined,
    origin: undefined,
  };
}

type PathKind = PathSpec["kind"];

function route(kind: PathKind, text: string, more: Partial<RouteSpec> = {}, caseSensitive = true): RouteSpec {
  return {
    path: { kind, text, caseSensitive },
    conditions: [],
    fraction: 1,
    plan: plan(`${kind} ${text}`),
    ...more,
  };
}

function host(name: string, domains: readonly string[], routes: readonly RouteSpec[] = []): VirtualHostSpec {
  return { plan: { name }, domains, routes, tlsRedirect: undefined };
}

function table(virtualHosts: readonly VirtualHostSpec[], ignorePortInHost = false) {
  return compileRouteTable({ name: "t", virtualHosts, ignorePortInHost });
}

test("a virtual host is chosen by exact domain, longest suffix, longest prefix, then any", () => {
  const any = [route("prefix", "/")];
  const routes = table([
    host("any", ["*"], any),
    host("exact", ["api.example.com", "api.example.com:8080"], any),
    host("suffix", ["*.example.com"], any),
    host("long suffix", ["*.b.example.com", "*-x.example.com"], any),
    host("prefix", ["api.*"], any),
    host("long prefix", ["api.other.*"], any),
  ]);
  const cases: readonly (readonly [string, string])[] = [
    ["api.example.com", "exact"],
    ["API.Example.COM", "exact"],
    ["api.example.com:8080", "exact"],
    ["api.example.com:9090", "prefix"],
    ["web.example.com", "suffix"],
    ["a.b.example.com", "long suffix"],
    ["foo-x.example.com", "long suffix"],
    [".example.com", "any"],
    ["api.net", "prefix"],
    ["api.other.net", "long prefix"],
    ["api.", "any"],
    ["example.com", "any"],
    ["", "any"],
  ];
  for (const [authority, expected] of cases) {
    assert.equal(routes.match(request("/", authority), 0)?.virtualHost.name, expected, authority);
  }
});

test("a port in the host is ignored when asked", () => {
  const routes = table([host("h", ["example.com", "[::1]"], [route("prefix", "/")])], true);
  assert.equal(routes.match(request("/", "example.com:81"), 0)?.virtualHost.name, "h");
  assert.equal(routes.match(request("/", "[::1]:81"), 0)?.virtualHost.name, "h");
  assert.equal(routes.match(request("/", "[::1]"), 0)?.virtualHost.name, "h");
});

test("a domain claimed twice is reported and stays with the first", () => {
  const found: string[] = [];
  const routes = compileRouteTable(
    {
      name: "t",
      virtualHosts: [host("a", ["x", "*.y", "*"], [route("prefix", "/")]), host("b", ["X", "*.y", "*"])],
      ignorePortInHost: false,
    },
    (domain, at, index) => found.push(`${domain} ${at} ${index}`),
  );
  assert.deepEqual(found, ["X 1 0", "*.y 1 1", "* 1 2"]);
  assert.equal(routes.match(request("/", "x"), 0)?.virtualHost.name, "a");
});

const paths: readonly (readonly [
  path: string,
  routes: readonly RouteSpec[],
  expected: string | undefined,
])[] = [
  ["/a", [route("exact", "/a")], "exact /a"],
  ["/a?q", [route("exact", "/a")], "exact /a"],
  ["/a#f", [route("exact", "/a")], "exact /a"],
  ["/a/", [route("exact", "/a")], undefined],
  ["/ab", [route("exact", "/a")], undefined],
  ["/ab", [route("prefix", "/a")], "prefix /a"],
  ["/a?/b", [route("prefix", "/a?")], undefined],
  ["/a", [route("separated-prefix", "/a")], "separated-prefix /a"],
  ["/a/b", [route("separated-prefix", "/a")], "separated-prefix /a"],
  ["/a?b", [route("separated-prefix", "/a")], "separated-prefix /a"],
  ["/ab", [route("separated-prefix", "/a")], undefined],
  ["/A", [route("exact", "/a")], undefined],
  ["/A", [route("exact", "/a", {}, false)], "exact /a"],
  ["/Ab?X", [route("prefix", "/aB", {}, false)], "prefix /aB"],
  ["/a1", [route("regex", "/a[0-9]")], "regex /a[0-9]"],
  ["/a12", [route("regex", "/a[0-9]")], undefined],
  ["/a1?x", [route("regex", "/a[0-9]")], "regex /a[0-9]"],
  ["/a/b", [route("prefix", "/a"), route("exact", "/a/b")], "prefix /a"],
  ["/a/b", [route("exact", "/a/b"), route("prefix", "/a")], "exact /a/b"],
  ["/a/b", [route("regex", "/a/.*"), route("exact", "/a/b")], "regex /a/.*"],
  ["/z", [route("prefix", "/a"), route("prefix", "")], "prefix "],
  ["/a", [route("prefix", "/a", { fraction: 0 }), route("prefix", "/")], "prefix /"],
];

const padding = Array.from({ length: 20 }, (_, i) => route("exact", `/padding/${i}`));

for (const [name, extra] of [
  ["few routes", []],
  ["many routes, by index", padding],
] as const) {
  test(`the first route whose path matches wins, with ${name}`, () => {
    for (const [path, routes, expected] of paths) {
      const found = table([host("h", ["*"], [...routes, ...extra])]).match(request(path), 0.5);
      assert.equal(found?.route.name, expected, path);
      const behind = table([host("h", ["*"], [...extra, ...routes])]).match(request(path), 0.5);
      assert.equal(behind?.route.name, expected, `${path}, behind others`);
    }
  });
}

test("the index, trying one after the other and a trace find the same route", () => {
  const kinds: readonly PathKind[] = ["prefix", "exact", "separated-prefix"];
  let seed = 7;
  const random = (n: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % n;
  };
  const word = () => `/${["a", "ab", "abc", "b", "ba"][random(5)]}`;
  for (let round = 0; round < 200; round++) {
    const routes = Array.from({ length: 30 }, () =>
      route(kinds[random(3)]!, Array.from({ length: 1 + random(3) }, word).join("")),
    );
    const indexed = table([host("h", ["*"], routes)]);
    const linear = routes.map((spec) => table([host("h", ["*"], [spec])]));
    for (let i = 0; i < 20; i++) {
      const path = Array.from({ length: 1 + random(4) }, word).join("") + ["", "?q", "/"][random(3)];
      const first = linear.findIndex((one) => one.match(request(path), 0));
      assert.equal(indexed.match(request(path), 0)?.route.name, routes[first]?.plan.name, path);
      const { match, misses, index = -1 } = indexed.trace(request(path), 0);
      assert.equal(match, indexed.match(request(path), 0), path);
      assert.equal(index, first, path);
      assert.equal(misses.length, first < 0 ? routes.length : first, path);
    }
  }
});

test("conditions on headers and query are all required", () => {
  const value = (name: string, kind: "exact" | "prefix" | "suffix" | "contains" | "regex", text: string) =>
    compileHeaderMatcher({
      name,
      test: { kind: "value", matches: compileStringMatcher({ kind, text, ignoreCase: false }) },
      invert: false,
      treatMissingAsEmpty: false,
    });
  const present = (name: string, expected: boolean, invert = false) =>
    compileHeaderMatcher({ name, test: { kind: "present", expected }, invert, treatMissingAsEmpty: false });
  const not = (name: string, text: string, treatMissingAsEmpty: boolean) =>
    compileHeaderMatcher({
      name,
      test: { kind: "value", matches: (v) => v === text },
      invert: true,
      treatMissingAsEmpty,
    });
  const range = compileHeaderMatcher({
    name: "n",
    test: { kind: "range", start: -10, end: 10 },
    invert: false,
    treatMissingAsEmpty: false,
  });
  const query = (name: string, text?: string) =>
    compileQueryParameter({
      name,
      matches: text === undefined ? undefined : (v) => v === text,
      expected: true,
    });
  const cases: readonly (readonly [RequestPredicate, RequestHead, boolean])[] = [
    [value("end-user", "exact", "jason"), request("/", "h", { "end-user": "jason" }), true],
    [value("End-User", "exact", "jason"), request("/", "h", { "end-user": "jason" }), true],
    [value("a", "prefix", "x"), request("/", "h", { a: "xy" }), true],
    [value("a", "suffix", "x"), request("/", "h", { a: "xy" }), false],
    [value("a", "contains", "x"), request("/", "h", { a: "yxy" }), true],
    [value("a", "regex", "x+"), request("/", "h", { a: "xx" }), true],
    [value("a", "regex", "x+"), request("/", "h", { a: "xxy" }), false],
    [value("a", "exact", ""), request("/"), false],
    [value(":method", "exact", "GET"), request("/"), true],
    [value(":path", "prefix", "/p"), request("/p?q"), true],
    [value(":authority", "exact", "h"), request("/", "h"), true],
    [present("a", true), request("/", "h", { a: "" }), true],
    [present("a", false), request("/", "h", { a: "" }), false],
    [present("a", false), request("/"), true],
    [present("a", true, true), request("/"), true],
    [not("a", "x", false), request("/"), false],
    [not("a", "x", true), request("/"), true],
    [not("a", "x", false), request("/", "h", { a: "y" }), true],
    [range, request("/", "h", { n: "-10" }), true],
    [range, request("/", "h", { n: "10" }), false],
    [range, request("/", "h", { n: "1x" }), false],
    [query("a"), request("/?b&a"), true],
    [query("a"), request("/?ba=1"), false],
    [query("a", "1%202"), request("/?a=1%202"), true],
    [query("a", "2"), request("/?a=1&a=2"), false],
    [query("a"), request("/"), false],
  ];
  for (const [i, [matches, head, expected]] of cases.entries()) {
    assert.equal(matches(head), expected, `case ${i}`);
  }
});

test("a trace says what each route before did not like, and which domain won", () => {
  const holds = () => true;
  const fails = () => false;
  const routes = table([
    host(
      "h",
      ["other", "*.example.com", "*"],
      [
        route("prefix", "/elsewhere"),
        route("prefix", "/", { conditions: [holds, fails], plan: plan("second condition") }),
        route("prefix", "/", { fraction: 0.25 }),
        route("prefix", "/"),
        route("prefix", "/"),
      ],
    ),
  ]);
  const trace = routes.trace(request("/", "a.example.com"), 0.5);
  assert.deepEqual(trace.virtualHost, { name: "h", domain: "*.example.com" });
  assert.deepEqual(
    trace.misses.map(({ index, failed }) => [index, failed]),
    [
      [0, "path"],
      [1, 1],
      [2, "fraction"],
    ],
  );
  assert.equal(trace.index, 3);
  assert.equal(table([host("h", ["other"])]).trace(request("/"), 0).virtualHost, undefined);
});

test("a virtual host that requires TLS redirects what came without", () => {
  const redirect = plan("redirect");
  const routes = compileRouteTable({
    name: "t",
    ignorePortInHost: false,
    virtualHosts: [
      { ...host("h", ["*"], [route("prefix", "/")]), tlsRedirect: { appliesTo: "external", plan: redirect } },
    ],
  });
  assert.equal(routes.match(request("/"), 0)?.route.name, "redirect");
  assert.equal(routes.trace(request("/"), 0).match?.route.name, "redirect");
  assert.equal(routes.match(request("/", "h", { "x-forwarded-proto": "https" }), 0)?.route.name, "prefix /");
  assert.equal(routes.match(request("/", "h", { "x-envoy-internal": "true" }), 0)?.route.name, "prefix /");
});
