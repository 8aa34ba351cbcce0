import type { SpiffeId } from "@weft/identity/spiffe-id";
import type { ExportMetricsServiceRequest } from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import { decodeOtlp } from "../telemetry/decode-otlp.ts";
import type { MetricHistory } from "../telemetry/metric-history.ts";
import { ownWorkload } from "./own-workload.ts";

/** Takes what agents measured, each for its own workload. */
export function metricsIntake(
  history: MetricHistory,
  registry: WorkloadRegistry,
): (request: ExportMetricsServiceRequest, peer: SpiffeId) => void {
  return (request, peer) => {
    const { instance, samples } = decodeOtlp(request);
    history.record(ownWorkload(registry, instance, peer).id, samples);
  };
}
