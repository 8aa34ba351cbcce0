import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseConfig } from "../config/parse-config.ts";
import { fixture } from "../translate/mesh-fixture.ts";

interface Written {
  readonly name: string;
  readonly namespace?: string;
  readonly spec: string;
  readonly at?: string;
}

function config({ name, namespace = "default", spec, at }: Written): string {
  const made = at ? `, creationTimestamp: "${at}"` : "";
  return `apiVersion: networking.istio.io/v1beta1\nkind: ProxyConfig\nmetadata: { name: ${name}, namespace: ${namespace}${made} }\nspec: ${spec}\n`;
}

const workloads = [
  { service: "web" },
  { service: "api" },
  { service: "far", namespace: "far" },
  { service: "", name: "gate-1", namespace: "default" },
];

function settings(...written: Written[]) {
  const { mesh } = fixture(
    { workloads, meshConfig: { defaultConfig: { concurrency: 2, proxyMetadata: { A: "mesh", B: "mesh" } } } },
    written.map(config).join("---\n"),
  );
  return (id: string) => mesh.workloads.get(id)!.template?.proxy;
}

describe("ProxyConfigs", () => {
  it("are overlaid from the mesh to the workload, field by field", () => {
    const of = settings(
      { name: "root", namespace: "istio-system", spec: "{ environmentVariables: { B: root, C: root } }" },
      { name: "all", spec: "{ concurrency: 0, environmentVariables: { C: all } }" },
      { name: "web", spec: "{ selector: { matchLabels: { app: web } }, environmentVariables: { D: web } }" },
    );
    assert.deepEqual(of("web-v1.default"), {
      concurrency: 0,
      environment: { A: "mesh", B: "root", C: "all", D: "web" },
    });
    assert.deepEqual(of("api-v1.default"), {
      concurrency: 0,
      environment: { A: "mesh", B: "root", C: "all" },
    });
    assert.equal(of("api-v1.default"), of("gate-1.default"), "one object for workloads alike");
    assert.deepEqual(of("far-v1.far"), { concurrency: 2, environment: { A: "mesh", B: "root", C: "root" } });
  });

  it("of one kind contend by age", () => {
    const of = settings(
      { name: "a", spec: "{ concurrency: 5 }", at: "2026-02-01T00:00:00Z" },
      { name: "b", spec: "{ concurrency: 6 }", at: "2026-01-01T00:00:00Z" },
    );
    assert.equal(of("web-v1.default")?.concurrency, 6);
  });

  it("say nothing to a workload where there are none", () => {
    assert.equal(fixture({ workloads }).mesh.workloads.get("web-v1.default")!.template, undefined);
  });

  const mistakes: [string, string, RegExp][] = [
    [
      "a variable that loads code",
      "{ environmentVariables: { LD_PRELOAD: x.so } }",
      /W1302: .*LD_PRELOAD decides what code/,
    ],
    ["what the agent says itself", "{ environmentVariables: { WEFT_CANONICAL_SERVICE: x } }", /W1302/],
    [
      "a number of series that is none",
      "{ environmentVariables: { WEFT_METRICS_MAX_SERIES: many } }",
      /W1105: .*"many" says nothing.*1 to 1000000/s,
    ],
    ["a setting that there is not", "{ environmentVariables: { WEFT_METRICS_OTHER: x } }", /W1302/],
    ["no name", "{ environmentVariables: { 'a-b': x } }", /W1105: .*is not the name of a variable/],
    ["too many workers", "{ concurrency: 1000 }", /W1105: spec\.concurrency/],
  ];
  for (const [name, spec, want] of mistakes) {
    it(`are refused for ${name}`, () => {
      const { diagnostics } = parseConfig([{ name: "p.yaml", text: config({ name: "a", spec }) }]);
      assert.match(diagnostics.map(formatDiagnostic).join("\n"), want);
    });
  }
});
