import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseMeshConfig } from "./mesh-config/parse-mesh-config.ts";
import { parseConfig } from "./parse-config.ts";

const watched = "outlierDetection: { consecutive5xxErrors: 1 }, ";

function found(setting: string, beside = watched): string[] {
  const text = `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: api }\nspec: { host: api, trafficPolicy: { ${beside}loadBalancer: { localityLbSetting: ${setting} } } }\n`;
  return parseConfig([{ name: "a.yaml", text }]).diagnostics.map(formatDiagnostic);
}

describe("a locality setting is refused or doubted", () => {
  const cases: [string, string, RegExp][] = [
    [
      "both ways at once",
      "{ distribute: [{ from: a, to: { a: 100 } }], failover: [{ from: a, to: b }] }",
      /distribute and failover at once/,
    ],
    ["shares that are not all", "{ distribute: [{ from: a, to: { a: 80, b: 10 } }] }", /comes to 90/],
    ["a share of nothing", "{ distribute: [{ from: a, to: { a: 100, b: 0 } }] }", /"b" has no share/],
    [
      "places that overlap",
      '{ distribute: [{ from: a, to: { "a/*": 50, a/b: 50 } }] }',
      /"a\/\*" and "a\/b" have places in common/,
    ],
    [
      "origins that overlap",
      '{ distribute: [{ from: "*", to: { a: 100 } }, { from: a/b/c, to: { b: 100 } }] }',
      /"\*" and "a\/b\/c" have places in common/,
    ],
    ["a place behind a star", '{ distribute: [{ from: "a/*/c", to: { a: 100 } }] }', /goes on behind "\*"/],
    [
      "a place without a region",
      '{ distribute: [{ from: "/b", to: { a: 100 } }] }',
      /"\/b" is not a locality/,
    ],
    ["a zone for a region", "{ failover: [{ from: a/b, to: c }] }", /"a\/b" is not a region/],
    ["a region for itself", "{ failover: [{ from: a, to: a }] }", /cannot stand in for itself/],
    [
      "a region twice",
      "{ failover: [{ from: a, to: b }, { from: a, to: c }] }",
      /region "a" is written twice/,
    ],
    ["a label twice", "{ failoverPriority: [x, x] }", /label "x" is written twice/],
    [
      "two orders of places",
      "{ failover: [{ from: a, to: b }], failoverPriority: [topology.kubernetes.io/zone] }",
      /both say what a place/,
    ],
  ];
  for (const [name, setting, want] of cases) {
    it(name, () => {
      const [first, ...others] = found(setting);
      assert.match(first ?? "", want);
      assert.match(first!, /^a\.yaml:4:\d+/);
      assert.deepEqual(others, []);
    });
  }

  it("failover that nobody would notice the need of", () => {
    const [first] = found("{ failover: [{ from: a, to: b }] }", "");
    assert.match(first ?? "", /warning.*has no effect without outlierDetection/);
  });

  it("not where it says nothing wrong, nor where it is off", () => {
    assert.deepEqual(found('{ distribute: [{ from: "a/*", to: { a/b: 70, a/c: 30 } }] }', ""), []);
    assert.deepEqual(found("{ failover: [{ from: a, to: b }], failoverPriority: [tier] }"), []);
    assert.deepEqual(found("{ enabled: false, failover: [{ from: a, to: a }] }", ""), []);
  });

  it("in a MeshConfig too", () => {
    const text = "localityLbSetting: { distribute: [{ from: a, to: { a: 1 } }] }\n";
    const { spec, diagnostics } = parseMeshConfig({ name: "mesh.yaml", text });
    assert.equal(spec, undefined);
    assert.match(formatDiagnostic(diagnostics[0]!), /mesh\.yaml:1:.*comes to 1/);
  });
});
