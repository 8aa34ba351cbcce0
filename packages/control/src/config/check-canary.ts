import type { CanaryMetricSpec, CanarySpec } from "./canary-spec.ts";
import type { Finding } from "./finding.ts";
import { joinPath } from "./origins.ts";

/** What Flagger's schema leaves to whoever reads it. */
export function checkCanary({ analysis, progressDeadlineSeconds }: CanarySpec, find: Finding): void {
  const at = "spec.analysis";
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

function checkMetric(
  { name, threshold, thresholdRange }: CanaryMetricSpec,
  path: string,
  find: Finding,
): void {
  const isSuccess = name === "request-success-rate";
  if (!isSuccess && name !== "request-duration") return;
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

function checkWhole(path: string, value: number | undefined, find: Finding): void {
  if (value === undefined || Number.isInteger(value)) return;
  find.error("W1105", path, `${path}: ${value} is not a whole number`, "percentages are whole");
}
