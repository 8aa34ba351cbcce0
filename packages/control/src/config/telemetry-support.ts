import { type FieldSupport, oneOf, rows } from "./field-support.ts";

const telemetry = rows("Telemetry");

/** What is done with the fields of Telemetry. */
export const telemetrySupport: readonly FieldSupport[] = [
  ...telemetry.yes(
    "spec.selector",
    "spec.targetRef",
    "spec.targetRefs",
    "spec.tracing[].match",
    "spec.tracing[].providers",
    "spec.tracing[].randomSamplingPercentage",
    "spec.tracing[].disableSpanReporting",
    "spec.tracing[].customTags",
    "spec.tracing[].useRequestIdForTraceSampling",
    "spec.tracing[].enableIstioTags",
    "spec.metrics[].providers",
    "spec.metrics[].reportingInterval",
    "spec.metrics[].overrides",
    "spec.accessLogging",
  ),
  ...telemetry.refused([
    "spec.tracing[].disableContextPropagation",
    "the context of traces would be handed on",
    oneOf(false),
  ]),
];
