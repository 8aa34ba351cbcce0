import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseConfig } from "./parse-config.ts";

function findings(spec: string): string[] {
  const text = `apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: { name: t }\nspec: ${spec}\n`;
  return parseConfig([{ name: "t.yaml", text }]).diagnostics.map((d) =>
    formatDiagnostic(d).replace(/^\S+ /, ""),
  );
}

const override = (fields: string) => `{ metrics: [{ overrides: [{ ${fields} }] }] }`;
const filter = (expression: string) =>
  `{ accessLogging: [{ filter: { expression: ${JSON.stringify(expression)} } }] }`;
const tag = (fields: string) => override(`tagOverrides: { a: { ${fields} } }`);

describe("a Telemetry", () => {
  const good = [
    "{}",
    filter("response.code >= 400"),
    filter("connection.mtls && request.url_path.contains('v1beta3')"),
    filter(
      '!has(request.useragent) || !(request.useragent.startsWith("Amazon-Route53-Health-Check-Service"))',
    ),
    tag("value: string(destination.port)"),
    tag("value: request.host"),
    tag("operation: REMOVE"),
    override("match: { metric: ALL_METRICS, mode: SERVER }, disabled: true"),
    override("match: { customMetric: requests_total }, disabled: true"),
  ];
  for (const spec of good) {
    it(`may say ${spec}`, () => {
      assert.deepEqual(findings(spec), []);
    });
  }

  const wrong: readonly [what: string, spec: string, expected: RegExp][] = [
    ["an expression that is none", filter("response.code >="), /error W1216: .*ends too early/],
    [
      "an expression over what is not known",
      filter("request.time > 1"),
      /error W1216: .*no attribute request\.time/,
    ],
    ["a condition that is none", filter("request.host"), /error W1216: .*gives string, not a truth value/],
    [
      "a condition that makes text",
      filter("string(response.code) == '4'"),
      /error W1216: .*not supported here/,
    ],
    ["a label without a value", tag("operation: UPSERT"), /error W1104: .*value is missing/],
    ["a removed label with a value", tag("operation: REMOVE, value: request.host"), /error W1106/],
    ["a label of metadata", tag("value: \"metadata.filter_metadata['a']\""), /error W1216: .*no attribute/],
    ["a label that is a map", tag("value: request.headers"), /error W1216: .*gives map/],
    [
      "a label that is none",
      override('tagOverrides: { "a-b": { value: request.host } }'),
      /error W1105: .*not a label/,
    ],
    [
      "a metric that is not made",
      override("match: { customMetric: my_metric }"),
      /error W1103: .*no metric my_metric/,
    ],
    ["more than all requests", "{ tracing: [{ randomSamplingPercentage: 101 }] }", /error W1105/],
    ["a tag without a value", "{ tracing: [{ customTags: { a: {} } }] }", /error W1104: .*says no value/],
    [
      "two destinations of spans",
      "{ tracing: [{ providers: [{ name: a }, { name: b }] }] }",
      /warning W1301: .*only a/,
    ],
    ["a provider named twice", "{ metrics: [{ providers: [{ name: a }, { name: a }] }] }", /error W1210/],
    ["an interval that is none", "{ metrics: [{ reportingInterval: often }] }", /error W1201/],
    ["contexts that end here", "{ tracing: [{ disableContextPropagation: true }] }", /error W1302/],
    ["a service by reference", "{ targetRefs: [{ kind: Service, name: a }] }", /error W1302/],
  ];
  for (const [what, spec, expected] of wrong) {
    it(`is told of ${what}`, () => {
      const found = findings(spec);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0]!, expected);
    });
  }
});
