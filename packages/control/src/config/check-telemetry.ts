import { checkPolicyTarget } from "./check-policy-target.ts";
import type { Finding } from "./finding.ts";
import { standardMetrics } from "./standard-metrics.ts";
import { conditionProblem, labelProblem } from "./telemetry-expression.ts";
import type {
  MetricsOverrideSpec,
  ProviderRefSpec,
  TelemetrySpec,
  TraceTagSpec,
  TracingSpec,
} from "./telemetry-specs.ts";

const expressionHint =
  "write it in CEL over request.*, response.*, source.*, destination.*, connection.*, upstream.*";

export function checkTelemetry(spec: TelemetrySpec, find: Finding): void {
  checkPolicyTarget(spec, find);
  spec.tracing?.forEach((tracing, i) => {
    checkTracing(tracing, `spec.tracing[${i}]`, find);
  });
  spec.metrics?.forEach((metrics, i) => {
    const path = `spec.metrics[${i}]`;
    checkProviders(metrics.providers, path, find);
    find.duration(`${path}.reportingInterval`, metrics.reportingInterval, { minMs: 100 });
    metrics.overrides?.forEach((override, j) => {
      checkOverride(override, `${path}.overrides[${j}]`, find);
    });
  });
  spec.accessLogging?.forEach((logging, i) => {
    const path = `spec.accessLogging[${i}]`;
    checkProviders(logging.providers, path, find);
    const expression = logging.filter?.expression ?? "";
    const problem = expression === "" ? undefined : conditionProblem(expression);
    const at = `${path}.filter.expression`;
    if (problem) find.error("W1216", at, `${at}: ${problem}`, expressionHint);
  });
}

function checkProviders(
  providers: readonly ProviderRefSpec[] | undefined,
  path: string,
  find: Finding,
): void {
  const seen = new Set<string>();
  providers?.forEach(({ name }, i) => {
    const at = `${path}.providers[${i}].name`;
    if (seen.has(name)) find.error("W1210", at, `${at}: ${name} is named twice`, "remove one of them");
    seen.add(name);
  });
}

function checkTracing(tracing: TracingSpec, path: string, find: Finding): void {
  const { providers, randomSamplingPercentage, customTags } = tracing;
  checkProviders(providers, path, find);
  if (providers && providers.length > 1) {
    const message = `${path}.providers: spans have one destination: only ${providers[0]!.name} is used`;
    find.warning("W1301", `${path}.providers[1]`, message, "remove the others");
  }
  find.range(`${path}.randomSamplingPercentage`, randomSamplingPercentage, 0, 100);
  for (const [name, tag] of Object.entries(customTags ?? {})) {
    checkTag(name, tag, `${path}.customTags.${name}`, find);
  }
}

function checkTag(name: string, tag: TraceTagSpec, path: string, find: Finding): void {
  if (name === "") find.error("W1105", path, `${path}: a tag has no name`);
  const { literal, environment, header, formatter } = tag;
  if (!literal && !environment && !header && !formatter) {
    const hint = "add literal, environment, header or formatter";
    find.error("W1104", path, `${path} says no value`, hint);
  }
  if (header) find.headerName(`${path}.header.name`, header.name);
}

function checkOverride(override: MetricsOverrideSpec, path: string, find: Finding): void {
  const { match, tagOverrides } = override;
  const { customMetric } = match ?? {};
  if (customMetric !== undefined && !Object.values(standardMetrics).includes(customMetric)) {
    const at = `${path}.match.customMetric`;
    const hint = `one of ${Object.values(standardMetrics).join(", ")}`;
    find.error("W1103", at, `${at}: no metric ${customMetric} is made`, hint);
  }
  for (const [label, { operation = "UPSERT", value }] of Object.entries(tagOverrides ?? {})) {
    const at = `${path}.tagOverrides.${label}`;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(label) || label.startsWith("__") || label === "le") {
      find.error("W1105", at, `${at}: "${label}" is not a label that may be set`, "letters, digits and _");
    }
    if (operation === "REMOVE") {
      if (value !== undefined)
        find.error("W1106", `${at}.value`, `${at} is removed and has a value`, "remove one");
      continue;
    }
    if (!value) {
      find.error("W1104", at, `${at}.value is missing`, "write an expression, or operation: REMOVE");
      continue;
    }
    const problem = labelProblem(value);
    if (problem) find.error("W1216", `${at}.value`, `${at}.value: ${problem}`, expressionHint);
  }
}
