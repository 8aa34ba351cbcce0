import {
  callerLabels,
  type KeptLabel,
  keptMetrics,
  type Labels,
  type Sample,
  sourceLabels,
} from "./sample.ts";
import { endingOf } from "./unanswered-call.ts";

const requestMetrics: ReadonlySet<string> = new Set([
  keptMetrics.requests,
  keptMetrics.duration,
  keptMetrics.tcpOpened,
  keptMetrics.tcpClosed,
]);

/**
 * A sample as it is kept: without labels that decide nothing for its reporter.
 * Of what callers report only what no destination does is kept: calls that ended
 * before an answer, and calls to servers that have shown no certificate, which
 * are those outside the mesh. Of measurements of the proxy itself none is kept:
 * they are one number for each workload.
 */
export function keepSample(sample: Sample): Sample | undefined {
  const { metric, labels } = sample;
  if (!requestMetrics.has(metric)) return Object.keys(labels).length > 0 ? { ...sample, labels: {} } : sample;
  if (labels.reporter === "source") {
    const isUnanswered = metric === keptMetrics.requests && endingOf(labels) !== undefined;
    return isUnanswered || isUncertified(labels) ? without(sample, callerLabels) : undefined;
  }
  return without(sample, labels.response_flags === "-" ? [...sourceLabels, "response_flags"] : sourceLabels);
}

function isUncertified({ destination_principal: principal = "" }: Labels): boolean {
  return principal === "" || principal === "unknown";
}

function without(sample: Sample, names: readonly KeptLabel[]): Sample {
  if (names.every((name) => sample.labels[name] === undefined)) return sample;
  const labels = { ...sample.labels };
  for (const name of names) delete labels[name];
  return { ...sample, labels };
}
