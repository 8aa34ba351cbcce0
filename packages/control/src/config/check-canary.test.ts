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

const accepted: (readonly [string, string])[] = [
  ["shares in steps, judged by both metrics", canary(good)],
  ["shares that are listed", canary("{ stepWeights: [1, 2, 10, 80] }")],
  [
    "matching requests so many times",
    canary("{ iterations: 10, match: [{ headers: { x-canary: { exact: insider } } }] }"),
  ],
  ["copies so many times", canary("{ iterations: 3, mirror: true, mirrorWeight: 20 }")],
];
function other(kind: string, spec: string): string {
  return `apiVersion: flagger.app/v1beta1
kind: ${kind}
metadata: { name: other }
spec: ${spec}
`;
}

const gates = ["confirm-rollout", "pre-rollout", "rollout", "confirm-promotion", "post-rollout", "event"];
accepted.push(
  [
    "webhooks of every type",
    canary(
      `{ stepWeight: 5, webhooks: [${gates.map((type) => `{ name: a, type: ${type}, url: "http://loadtester.test/", timeout: 30s, metadata: { cmd: x } }`).join(", ")}] }`,
    ),
  ],
  [
    "metrics by query and template",
    canary(
      "{ stepWeight: 5, metrics: [{ name: a, query: 'up{w=~\"{{ target }}\"}', thresholdRange: { max: 1 } }, { name: b, interval: 1m, templateRef: { name: b, namespace: mesh }, thresholdRange: { min: 1 } }] }",
    ),
  ],
  [
    "a template",
    other(
      "MetricTemplate",
      "{ provider: { type: prometheus, address: 'http://prom:9090' }, query: 'x{{ interval }}' }",
    ),
  ],
  [
    "a chat",
    other("AlertProvider", "{ type: slack, channel: a, username: b, address: 'https://hooks.slack.com/x' }"),
  ],
);

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
    /metrics\[0\]: the mesh has no metric "errors".*give it a query/s,
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
    "a webhook that is no URL",
    canary("{ stepWeight: 5, webhooks: [{ name: gate, url: 'gate:8080' }] }"),
    /webhooks\[0\]\.url: "gate:8080" is no http or https URL/,
  ],
  [
    "a webhook with a password",
    canary("{ stepWeight: 5, webhooks: [{ name: gate, url: 'https://a:b@gate/' }] }"),
    /holds a password/,
  ],
  [
    "a webhook without a certificate",
    canary("{ stepWeight: 5, webhooks: [{ name: gate, url: 'https://gate/', disableTLS: true }] }"),
    /disableTLS true is not supported/,
  ],
  [
    "an unknown type of webhook",
    canary("{ stepWeight: 5, webhooks: [{ name: gate, url: 'https://gate/', type: before }] }"),
    /webhooks\[0\]\.type/,
  ],
  [
    "a query and a template",
    canary("{ stepWeight: 5, metrics: [{ name: a, query: up, templateRef: { name: b }, threshold: 1 }] }"),
    /has a query and a templateRef/,
  ],
  [
    "a query without a bound",
    canary("{ stepWeight: 5, metrics: [{ name: a, query: up, thresholdRange: {} }] }"),
    /has no bound/,
  ],
  [
    "a query in other words than Flagger's",
    canary("{ stepWeight: 5, metrics: [{ name: a, query: 'up{{ if name }}', threshold: 1 }] }"),
    /\{\{ if name \}\} is none of name, namespace, target/,
  ],
  [
    "a variable that nobody gives",
    canary("{ stepWeight: 5, metrics: [{ name: a, query: 'up{{ variables.x }}', threshold: 1 }] }"),
    /\{\{ variables\.x \}\} is none of its templateVariables/,
  ],
  [
    "a route of its own",
    canary(good).replace("port: 9898", "port: 9898, timeout: 5s"),
    /service\.timeout is not supported yet: write it in/,
  ],
  [
    "a template for another system",
    other("MetricTemplate", "{ provider: { type: datadog }, query: x }"),
    /provider\.type datadog is not supported/,
  ],
  [
    "a template with credentials",
    other("MetricTemplate", "{ provider: { type: prometheus, secretRef: { name: a } }, query: x }"),
    /secretRef is not supported yet: Secrets of applications are not read/,
  ],
  ["a chat without an address", other("AlertProvider", "{ type: slack }"), /spec\.address is missing/],
  [
    "a chat behind a Secret",
    other("AlertProvider", "{ type: slack, address: 'https://a/', secretRef: { name: a } }"),
    /secretRef is not supported/,
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
  const text = canary("{ stepWeight: 5, stepWeightPromotion: 20 }");
  assert.match(findings(text).join("\n"), /warning.*stepWeightPromotion/);
});
