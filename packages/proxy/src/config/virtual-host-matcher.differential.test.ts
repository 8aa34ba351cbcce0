import { test } from "node:test";
import { expectSame, type Sent, withEnvoy } from "../filters/side-by-side-fixture.ts";

const type = (name: string, rest: string) => `"@type": type.googleapis.com/${name}, ${rest}`;
const header = (name: string) =>
  `{ name: h, typed_config: { ${type("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", `header_name: "${name}"`)} } }`;
const answering = (name: string, match = "prefix: /") =>
  `match: { ${match} }, name: ${name}, direct_response: { status: 200, body: { inline_string: ${name} } }`;
const route = (body: string) =>
  `action: { name: a, typed_config: { ${type("envoy.config.route.v3.Route", body)} } }`;
const routes = (...bodies: string[]) => {
  const list = bodies.map((body) => `{ ${body} }`).join(", ");
  return `action: { name: a, typed_config: { ${type("envoy.config.route.v3.RouteList", `routes: [${list}]`)} } }`;
};
const when = (input: string, match: string, onMatch: string) =>
  `{ predicate: { single_predicate: { input: ${input}, value_match: { ${match} } } }, on_match: { ${onMatch} } }`;
const log = "%ROUTE_NAME% %RESPONSE_CODE_DETAILS%";

const decide = (matcher: string, sent: readonly Sent[]) =>
  expectSame({ filters: "", routes: "", virtualHost: `matcher: { ${matcher} }`, log }, sent, []);

test("a virtual host's matcher chooses the route as in Envoy, by what the request has", withEnvoy, () => {
  const entries = [
    when(header("x-team"), "exact: red", route(answering("red"))),
    when(header("x-team"), "exact: blue", route(answering("narrow", "path: /only"))),
    when(
      header(":path"),
      "prefix: /list",
      routes(answering("one", "path: /list/1"), answering("two", "prefix: /list/2")),
    ),
    when(
      header(":method"),
      "exact: POST",
      route("match: { prefix: / }, name: up, route: { cluster: upstream }"),
    ),
  ];
  return decide(`matcher_list: { matchers: [${entries.join(", ")}] }`, [
    { path: "/", headers: { "x-team": "red" } },
    { path: "/", headers: { "x-team": "blue" } },
    { path: "/only", headers: { "x-team": "blue" } },
    { path: "/list/1" },
    { path: "/list/22?x" },
    { path: "/list/3" },
    { path: "/", method: "POST", body: "x" },
    { path: "/" },
  ]);
});

test("a tree of values, and what stands for all others, choose as in Envoy", withEnvoy, () => {
  const tree = `matcher_tree: { input: ${header("x-tenant")}, exact_match_map: { map: {
    acme: { ${route(answering("acme"))} },
    umbrella: { matcher: { matcher_tree: { input: ${header(":path")}, prefix_match_map: { map: {
      "/a": { ${route(answering("a"))} }, "/a/b": { ${routes(answering("deep", "path: /a/b/c"))} } } } } } } } } }`;
  return decide(`${tree}, on_no_match: { ${route(answering("others"))} }`, [
    { path: "/", headers: { "x-tenant": "acme" } },
    { path: "/", headers: { "x-tenant": "Acme" } },
    { path: "/a", headers: { "x-tenant": "umbrella" } },
    { path: "/a/b", headers: { "x-tenant": "umbrella" } },
    { path: "/a/b/c", headers: { "x-tenant": "umbrella" } },
    { path: "/b", headers: { "x-tenant": "umbrella" } },
    { path: "/" },
  ]);
});
