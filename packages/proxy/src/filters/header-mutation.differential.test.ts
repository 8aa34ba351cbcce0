import { test } from "node:test";
import { expectSame, withEnvoy } from "./side-by-side-fixture.ts";

const type = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3";
const append = (key: string, value: string, action = "APPEND_IF_EXISTS_OR_ADD", more = "") =>
  `{ append: { header: { key: ${key}, value: ${JSON.stringify(value)} }, append_action: ${action}${more} } }`;
const perRoute = (mutations: string) =>
  `{ "@type": ${type}.HeaderMutationPerRoute, mutations: { ${mutations} } }`;
const level = (name: string) =>
  `request_mutations: [${append("x-order", name)}, ${append("x-last", name, "OVERWRITE_IF_EXISTS_OR_ADD")}], response_mutations: [${append("x-back", name)}]`;

const query = (edit: string) => perRoute(`query_parameter_mutations: [${edit}]`);
const parameter = (key: string, value: string, action: string) =>
  `{ append: { record: { key: ${key}, value: ${JSON.stringify(value)} }, action: ${action} } }`;

const routes = [
  `- { match: { prefix: /levels }, route: { cluster: upstream }, typed_per_filter_config: { mutate: ${perRoute(level("route"))} } }`,
  `- { match: { prefix: /query/append }, route: { cluster: upstream }, typed_per_filter_config: { mutate: ${query(parameter("a", "new", "APPEND_IF_EXISTS_OR_ADD"))} } }`,
  `- { match: { prefix: /query/absent }, route: { cluster: upstream }, typed_per_filter_config: { mutate: ${query(parameter("a", "%REQ(x-a)%", "ADD_IF_ABSENT"))} } }`,
  `- { match: { prefix: /query/overwrite }, route: { cluster: upstream }, typed_per_filter_config: { mutate: ${query(parameter("a", "new", "OVERWRITE_IF_EXISTS_OR_ADD"))} } }`,
  `- { match: { prefix: /query/exists }, route: { cluster: upstream }, typed_per_filter_config: { mutate: ${query(parameter("a", "new", "OVERWRITE_IF_EXISTS"))} } }`,
  `- { match: { prefix: /query/remove }, route: { cluster: upstream }, typed_per_filter_config: { mutate: ${query("{ remove: a }")} } }`,
  `- { match: { prefix: /direct }, direct_response: { status: 200, body: { inline_string: hi } } }`,
  "- { match: { prefix: / }, route: { cluster: upstream } }",
].join("\n");

const own = [
  `request_mutations: [${[
    append("x-order", "own"),
    append("x-last", "own"),
    append("x-a", "added"),
    append("x-b", "kept", "ADD_IF_ABSENT"),
    append("x-c", "only %REQ(:path)%", "OVERWRITE_IF_EXISTS"),
    append("x-empty", "%REQ(x-none)%"),
    append("x-blank", "", "APPEND_IF_EXISTS_OR_ADD", ", keep_empty_value: true"),
    "{ remove: x-gone }",
    "{ remove_on_match: { key_matcher: { prefix: x-drop } } }",
  ].join(", ")}]`,
  `response_mutations: [${append("x-back", "own %RESPONSE_CODE%")}, { remove: content-type }]`,
].join(", ");

const questions = [
  { path: "/" },
  { path: "/direct" },
  { path: "/levels" },
  {
    path: "/",
    headers: { "x-a": "1", "x-b": "2", "x-c": "3", "x-gone": "4", "x-drop-a": "5", "x-drop-b": "6" },
  },
  ...["append", "absent", "overwrite", "exists", "remove"].flatMap((kind) =>
    ["", "?", "?a=1", "?A=2", "?a=1&a=2"].map((query) => ({
      path: `/query/${kind}${query}`,
      headers: { "x-a": "v" },
    })),
  ),
];

for (const wins of [false, true]) {
  test(
    `headers and queries are edited as in Envoy, most specific ${wins ? "last" : "first"}`,
    withEnvoy,
    () =>
      expectSame(
        {
          filters: `
- name: mutate
  typed_config: { "@type": ${type}.HeaderMutation, mutations: { ${own} }, most_specific_header_mutations_wins: ${wins} }
`,
          virtualHost: `typed_per_filter_config: { mutate: ${perRoute(level("host"))} }`,
          routes,
        },
        questions,
      ),
  );
}
