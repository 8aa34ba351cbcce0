import { keptMetrics, type Sample, sourceLabels } from "./sample.ts";
import { endingOf } from "./unanswered-call.ts";

/**
 * A sample as it is kept: without labels that decide nothing for its reporter.
 * Of what callers report only calls that ended before an answer are kept, since
 * a destination reports all that it answered itself.
 */
export function keepSample(sample: Sample): Sample | undefined {
  const { metric, labels } = sample;
  if (labels.reporter === "source") {
    return metric === keptMetrics.requests && endingOf(labels) ? sample : undefined;
  }
  if (sourceLabels.every((name) => labels[name] === undefined)) return sample;
  const { response_flags: _, destination_service: __, destination_principal: ___, ...rest } = labels;
  return { ...sample, labels: rest };
}
