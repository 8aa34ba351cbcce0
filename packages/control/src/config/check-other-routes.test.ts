import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseConfig } from "./parse-config.ts";

function problems(kind: string, spec: string): string[] {
  const text = `apiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: r }\nspec: ${spec}\n`;
  return parseConfig([{ name: "r.yaml", text }])
    .diagnostics.map(formatDiagnostic)
    .map((line) => line.replace(/^r\.yaml:\d+:\d+: /, "").replace(/ \([^()]*\)$/, ""));
}

const match = (text: string) => `{ rules: [{ matches: [{ method: ${text} }] }] }`;

describe("routes that the API server would refuse are refused", () => {
  const cases: [kind: string, spec: string, ...expected: string[]][] = [
    [
      "GRPCRoute",
      match("{ type: Exact }"),
      "error W1104: spec.rules[0].matches[0].method names neither service nor method",
    ],
    [
      "GRPCRoute",
      match("{ service: a/b }"),
      'error W1105: spec.rules[0].matches[0].method.service: "a/b" is not the name of a gRPC service',
    ],
    [
      "GRPCRoute",
      match("{ type: RegularExpression, method: '(' }"),
      "error W1202: spec.rules[0].matches[0].method.method is not a regular expression in RE2 syntax: error parsing regexp: missing closing ): `(`",
    ],
    [
      "GRPCRoute",
      "{ rules: [{ backendRefs: [{ name: a }] }] }",
      "error W1104: spec.rules[0].backendRefs[0].port is missing",
    ],
    [
      "TCPRoute",
      "{ rules: [{ backendRefs: [] }] }",
      "error W1105: spec.rules[0].backendRefs must NOT have fewer than 1 items",
    ],
    [
      "TLSRoute",
      "{ rules: [{ backendRefs: [{ name: a, port: 1 }] }] }",
      "error W1104: spec.hostnames is missing",
    ],
    [
      "TLSRoute",
      "{ hostnames: [192.0.2.1], rules: [{ backendRefs: [{ name: a, port: 1 }] }] }",
      'error W1203: spec.hostnames[0]: "192.0.2.1" is not a server name',
    ],
    [
      "ReferenceGrant",
      "{ from: [] }",
      "error W1104: spec.to is missing",
      "error W1105: spec.from must NOT have fewer than 1 items",
    ],
  ];
  for (const [kind, spec, ...expected] of cases) {
    it(`${kind} ${spec}`, () => assert.deepEqual(problems(kind, spec), expected));
  }
});
