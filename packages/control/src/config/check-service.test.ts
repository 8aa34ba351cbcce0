import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseConfig } from "./parse-config.ts";

function findings(spec: string): string[] {
  const text = `apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: ${spec}\n`;
  return parseConfig([{ name: "a.yaml", text }]).diagnostics.map(formatDiagnostic);
}

describe("a Service for an external name", () => {
  const cases: [name: string, spec: string, ...expected: RegExp[]][] = [
    ["is a name", "{ type: ExternalName, externalName: db.example. }"],
    ["may name ports", "{ type: ExternalName, externalName: db.example, ports: [{ port: 80 }] }"],
    ["needs the name", "{ type: ExternalName }", /^a.yaml:4:\d+: error W1104: spec.externalName is missing/],
    [
      "takes no pattern",
      '{ type: ExternalName, externalName: "*.example" }',
      /error W1203: .*no single name/,
    ],
    ["takes no URL", '{ type: ExternalName, externalName: "http://a" }', /error W1203: .*not a host name/],
    [
      "has no address of its own",
      "{ type: ExternalName, externalName: a.example, clusterIP: None }",
      /error W1106: an external name has no clusterIP/,
    ],
    [
      "selects nothing",
      "{ type: ExternalName, externalName: a.example, selector: { a: b } }",
      /warning W1106: an external name selects nothing/,
    ],
    ["has its type", "{ externalName: a.example }", /warning W1106: .*means nothing for type ClusterIP/],
  ];
  for (const [name, spec, ...expected] of cases) {
    it(name, () => {
      const said = findings(spec);
      assert.equal(said.length, expected.length, said.join("\n"));
      expected.forEach((pattern, i) => {
        assert.match(said[i]!, pattern);
      });
    });
  }
});
