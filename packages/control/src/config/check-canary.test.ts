import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseConfig } from "./parse-config.ts";

/** As in Flagger's own pages, where not said otherwise. */
function canary(analysis: string, more = ""): string {
  return `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: podinfo }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: podinfo }
  service: { port: 9898 }
  analysis: ${analysis.replace("{ ", "{ interval: 1m, threshold: 10, ")}
${more}`;
}

const good =
  "{ maxWeight: 50, stepWeight: 5, metrics: [{ name: request-success-rate, thresholdRange: { min: 99 }, interval: 1m }, { name: request-duration, thresholdRange: { max: 500 } }] }";

function findings(text: string): readonly string[] {
  return parseConfig([{ name: "canary.yaml", text }]).diagnostics.map(formatDiagnostic);
}

const accepted: readonly (readonly [string, string])[] = [
  ["shares in steps, judged by both metrics", canary(good)],
  ["shares that are listed", canary("{ stepWeights: [1, 2, 10, 80] }")],
  [
    "matching requests so many times",
    canary("{ iterations: 10, match: [{ headers: { x-canary: { exact: insider } } }] }"),
  ],
  ["copies so many times", canary("{ iterations: 3, mirror: true, mirrorWeight: 20 }")],
];
for (const [name, text] of accepted) {
  test(`takes ${name}`, () => {
    const { resources, diagnostics } = parseConfig([{ name: "canary.yaml", text }]);
    assert.equal(resources.length, 1, diagnostics.map(formatDiagnostic).join("\n"));
    assert.deepEqual(
      diagnostics.filter(({ severity }) => severity !== "info"),
      [],
    );
  });
}

const refused: readonly (readonly [string, string, RegExp])[] = [
  ["no strategy", canary("{ maxWeight: 50 }"), /says no steps/],
  ["two strategies", canary("{ stepWeight: 5, iterations: 3 }"), /sets iterations and stepWeight at once/],
  [
    "no threshold",
    canary("{ stepWeight: 5 }").replace("threshold: 10, ", ""),
    /spec\.analysis\.threshold is missing/,
  ],
  ["iterations of nothing", canary("{ iterations: 3 }"), /says no steps/],
  [
    "steps that fall",
    canary("{ stepWeights: [50, 10] }"),
    /stepWeights\[1\]: 10 is not more than the one before/,
  ],
  ["half a percent", canary("{ stepWeight: 0.5 }"), /0\.5 is not a whole number/],
  [
    "an unknown metric",
    canary("{ stepWeight: 5, metrics: [{ name: errors }] }"),
    /metrics\[\]\.name errors is not supported/,
  ],
  [
    "a metric without a bound",
    canary("{ stepWeight: 5, metrics: [{ name: request-duration }] }"),
    /has no bound/,
  ],
  [
    "a bound on the wrong side",
    canary(
      "{ stepWeight: 5, metrics: [{ name: request-success-rate, thresholdRange: { min: 1, max: 2 } }] }",
    ),
    /has no such bound/,
  ],
  [
    "webhooks, by name",
    canary("{ stepWeight: 5, webhooks: [{ name: gate, url: 'http://gate/' }] }"),
    /Canary\.spec\.analysis\.webhooks is not supported yet: nobody is called/,
  ],
  [
    "a route of its own",
    canary(good).replace("port: 9898", "port: 9898, timeout: 5s"),
    /service\.timeout is not supported yet: write it in/,
  ],
  ["another mesh", canary(good, "  provider: linkerd\n"), /provider linkerd is not supported/],
  ["an unknown field", canary("{ stepWeight: 5, version: v3 }"), /unknown field spec\.analysis\.version/],
];
for (const [name, text, message] of refused) {
  test(`refuses ${name}`, () => {
    assert.equal(parseConfig([{ name: "canary.yaml", text }]).resources.length, 0);
    assert.match(findings(text).join("\n"), message);
  });
}

test("what is left out is said", () => {
  const text = canary(
    "{ stepWeight: 5, stepWeightPromotion: 20, alerts: [{ name: a, providerRef: { name: slack } }] }",
  );
  const found = findings(text).join("\n");
  assert.match(found, /warning.*stepWeightPromotion/);
  assert.match(found, /warning.*alerts.*nobody is told/);
});
