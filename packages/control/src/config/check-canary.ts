import type {
  AlertProviderSpec,
  CanaryMetricSpec,
  CanarySpec,
  CanaryWebhookSpec,
  MetricTemplateSpec,
} from "./canary-spec.ts";
import type { Finding } from "./finding.ts";
import { joinPath } from "./origins.ts";
import { templateProblem } from "./query-template.ts";

/** Of each: webhooks, metrics and alerts. */
const maxListed = 20;

/** What Flagger's schema leaves to whoever reads it. */
export function checkCanary(spec: CanarySpec, find: Finding): void {
  const { analysis, progressDeadlineSeconds, metricsServer } = spec;
  const at = "spec.analysis";
  checkUrl("spec.metricsServer", metricsServer, find);
  for (const list of ["webhooks", "metrics", "alerts"] as const) {
    if ((analysis[list]?.length ?? 0) <= maxListed) continue;
    find.error("W1105", `${at}.${list}`, `${at}.${list} has more than ${maxListed} entries`);
  }
  analysis.webhooks?.forEach((webhook, i) => {
    checkWebhook(webhook, `${at}.webhooks[${i}]`, find);
  });
  find.duration(`${at}.interval`, analysis.interval, { minMs: 1_000 });
  find.range("spec.progressDeadlineSeconds", progressDeadlineSeconds, 0, 604_800);
  find.range(`${at}.threshold`, analysis.threshold, 0, 1_000);
  find.range(`${at}.iterations`, analysis.iterations, 0, 100);
  for (const field of ["maxWeight", "stepWeight", "mirrorWeight"] as const) {
    find.range(`${at}.${field}`, analysis[field], 0, 100);
    checkWhole(`${at}.${field}`, analysis[field], find);
  }
  analysis.stepWeights?.forEach((weight, i) => {
    const path = `${at}.stepWeights[${i}]`;
    find.range(path, weight, 1, 100);
    checkWhole(path, weight, find);
    const before = analysis.stepWeights![i - 1];
    if (before === undefined || before < weight) return;
    find.error("W1105", path, `${path}: ${weight} is not more than the one before`, "each step gives more");
  });
  checkStrategy(analysis, find);
  analysis.match?.forEach((match, i) => {
    for (const name of Object.keys(match.headers ?? {})) {
      find.headerName(joinPath(`${at}.match[${i}].headers`, name), name);
    }
    for (const part of ["headers", "queryParams"] as const) {
      for (const [name, { regex }] of Object.entries(match[part] ?? {})) {
        find.regex(`${joinPath(`${at}.match[${i}].${part}`, name)}.regex`, regex);
      }
    }
  });
  analysis.metrics?.forEach((metric, i) => {
    checkMetric(metric, `${at}.metrics[${i}]`, find);
  });
}

/** Shares in steps, or copies or matching requests so many times. */
function checkStrategy(analysis: CanarySpec["analysis"], find: Finding): void {
  const { stepWeight, stepWeights = [], iterations = 0, match = [], mirror } = analysis;
  if (stepWeight || stepWeights.length > 0) return;
  if (iterations > 0 && (match.length > 0 || mirror)) return;
  const message = "spec.analysis says no steps";
  const hint = "write stepWeight and maxWeight, stepWeights, or iterations with match or mirror";
  find.error("W1104", "spec.analysis", message, hint);
}

function checkMetric(metric: CanaryMetricSpec, path: string, find: Finding): void {
  const { name, threshold, thresholdRange, interval, query, templateRef, templateVariables } = metric;
  find.duration(`${path}.interval`, interval, { minMs: 1_000 });
  if (query !== undefined || templateRef) {
    if (query !== undefined && templateRef) {
      const hint = "keep one of both";
      find.error("W1106", `${path}.query`, `${path} has a query and a templateRef`, hint);
    }
    checkTemplate(`${path}.query`, query, find, templateVariables ?? {});
    if (thresholdRange?.min !== undefined || thresholdRange?.max !== undefined) return;
    if (threshold !== undefined) return;
    find.error("W1104", path, `${path} has no bound`, "write thresholdRange with min or max");
    return;
  }
  const isSuccess = name === "request-success-rate";
  if (!isSuccess && name !== "request-duration") {
    const hint = "write request-success-rate or request-duration, or give it a query or a templateRef";
    find.error("W1104", `${path}.name`, `${path}: the mesh has no metric ${JSON.stringify(name)}`, hint);
    return;
  }
  if (interval !== undefined) {
    const message = `${path}.interval is not used: ${name} is measured for as long as a step lasts`;
    find.info("W1305", `${path}.interval`, message);
  }
  const bound = isSuccess ? "min" : "max";
  const wanted = thresholdRange?.[bound] ?? threshold;
  if (wanted === undefined) {
    find.error("W1104", path, `${path} has no bound`, `write thresholdRange: { ${bound}: … }`);
    return;
  }
  find.range(path, wanted, isSuccess ? 0 : 1, isSuccess ? 100 : 3_600_000);
  const other = isSuccess ? "max" : "min";
  if (thresholdRange?.[other] !== undefined) {
    const message = `${path}.thresholdRange.${other}: ${name} has no such bound`;
    find.error("W1105", `${path}.thresholdRange.${other}`, message, `write ${bound}`);
  }
}

function checkWebhook(
  { url, timeout, retries, metadata }: CanaryWebhookSpec,
  path: string,
  find: Finding,
): void {
  checkUrl(`${path}.url`, url, find);
  find.duration(`${path}.timeout`, timeout, { minMs: 100 });
  find.range(`${path}.retries`, retries, 0, 10);
  checkWhole(`${path}.retries`, retries, find);
  const long = Object.entries(metadata ?? {}).find(([, value]) => value.length > 4_096);
  if (long)
    find.error("W1105", joinPath(`${path}.metadata`, long[0]), "metadata has more than 4,096 characters");
}

export function checkMetricTemplate({ provider, query }: MetricTemplateSpec, find: Finding): void {
  checkUrl("spec.provider.address", provider.address, find);
  checkTemplate("spec.query", query, find);
}

export function checkAlertProvider({ address }: AlertProviderSpec, find: Finding): void {
  checkUrl("spec.address", address, find);
  if (address !== undefined) return;
  find.error("W1104", "spec", "spec.address is missing", "write the chat's incoming webhook");
}

function checkTemplate(
  path: string,
  query: string | undefined,
  find: Finding,
  variables?: Readonly<Record<string, string>>,
): void {
  if (query === undefined) return;
  if (query.trim() === "" || query.length > 8_192) {
    find.error(
      "W1105",
      path,
      `${path} is ${query.length > 8_192 ? "longer than 8,192 characters" : "empty"}`,
    );
  }
  const problem = templateProblem(query, variables);
  if (problem !== undefined) find.error("W1105", path, `${path}: ${problem}`);
}

function checkUrl(path: string, url: string | undefined, find: Finding): void {
  if (url === undefined) return;
  const isUrl = /^https?:\/\/[^/]/.test(url) && URL.canParse(url) && url.length <= 2_048;
  if (!isUrl) find.error("W1105", path, `${path}: "${url.slice(0, 80)}" is no http or https URL`);
  else if (new URL(url).username !== "" || new URL(url).password !== "") {
    find.error("W1105", path, `${path} holds a password`, "whoever reads the resource would have it");
  }
}

function checkWhole(path: string, value: number | undefined, find: Finding): void {
  if (value === undefined || Number.isInteger(value)) return;
  find.error("W1105", path, `${path}: ${value} is not a whole number`, "percentages are whole");
}
