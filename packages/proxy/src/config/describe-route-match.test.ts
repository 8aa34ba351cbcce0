import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { RouteMatchSchema } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeConditions } from "./decode-route-match.ts";
import { describeConditions, describePath } from "./describe-route-match.ts";
import { Issues } from "./issues.ts";

const request: RequestHead = {
  method: "GET",
  path: "/x?v=1",
  authority: "reviews:9080",
  scheme: "http",
  headers: new HeaderList(["end-user", "bob"]),
  upgrade: "",
};

const string = (value: string) => ({
  case: "stringMatch" as const,
  value: { matchPattern: { case: "exact" as const, value } },
});

const match = create(RouteMatchSchema, {
  pathSpecifier: { case: "prefix", value: "/" },
  headers: [
    { name: "End-User", headerMatchSpecifier: string("jason") },
    { name: ":method", headerMatchSpecifier: string("POST") },
    { name: "cookie", headerMatchSpecifier: { case: "presentMatch", value: true } },
    { name: "end-user", headerMatchSpecifier: string("bob"), invertMatch: true },
    { name: "n", headerMatchSpecifier: { case: "rangeMatch", value: { start: 1n, end: 5n } } },
  ],
  queryParameters: [{ name: "v", queryParameterMatchSpecifier: string("2") }],
  grpc: {},
  tlsContext: { presented: true, validated: false },
  dynamicMetadata: [
    {
      filter: "f",
      path: [{ segment: { case: "key", value: "k" } }],
      value: { matchPattern: { case: "presentMatch", value: true } },
    },
  ],
});

test("conditions are described one for one, in the order they are decoded in, with what the request has", () => {
  const context = { issues: new Issues() } as DecodeContext;
  const decoded = decodeConditions(match, "match", context);
  const described = describeConditions(match);
  assert.equal(context.issues.format(), "");
  assert.equal(described.length, decoded.length);
  assert.deepEqual(
    described.map(({ text, found }) => [text, found(request)]),
    [
      ['header end-user = "jason"', 'header end-user = "bob"'],
      ['method = "POST"', 'method = "GET"'],
      ["header cookie", "no header cookie"],
      ['no header end-user = "bob"', 'header end-user = "bob"'],
      ["header n from 1 to below 5", "no header n"],
      ['query parameter v = "2"', 'query parameter v = "1"'],
      ["a gRPC request", "another content-type"],
      ["a client certificate", "none"],
      ["no client certificate", "one"],
      ["metadata of f", "something else there"],
    ],
  );
});

test("every kind of path has its words", () => {
  type Path = MessageInitShape<typeof RouteMatchSchema>["pathSpecifier"];
  const cases: readonly (readonly [Path, string])[] = [
    [{ case: "prefix", value: "/a" }, 'path beginning with "/a"'],
    [{ case: "path", value: "/a" }, 'path "/a"'],
    [{ case: "pathSeparatedPrefix", value: "/a" }, 'path "/a" or below it'],
    [{ case: "safeRegex", value: { regex: "/a+" } }, "path matching /a+"],
    [{ case: "connectMatcher", value: {} }, "a CONNECT request"],
  ];
  for (const [pathSpecifier, text] of cases) {
    assert.equal(describePath(create(RouteMatchSchema, { pathSpecifier })).text, text);
  }
  const anyCase = create(RouteMatchSchema, {
    pathSpecifier: { case: "prefix", value: "/a" },
    caseSensitive: false,
  });
  assert.equal(describePath(anyCase).text, 'path beginning with "/a", in any case');
  assert.equal(describePath(anyCase).found(request), 'path "/x"');
});
