import type { SpiffeId } from "@weft/identity/spiffe-id";
import { parseWorkloadId } from "@weft/identity/workload-id";
import type { ExportMetricsServiceRequest } from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import { decodeOtlp } from "../telemetry/decode-otlp.ts";
import type { MetricHistory } from "../telemetry/metric-history.ts";

/**
 * Takes what agents measured, each for its own workload: the instance that an
 * export names must be registered by the identity that sends it.
 */
export function metricsIntake(
  history: MetricHistory,
  registry: WorkloadRegistry,
): (request: ExportMetricsServiceRequest, peer: SpiffeId) => void {
  return (request, peer) => {
    const identity = parseWorkloadId(peer);
    const { instance, samples } = decodeOtlp(request);
    const workload = identity && registry.get(`${instance}.${identity.namespace}`);
    if (!workload) {
      throw new GrpcError(
        grpcCode.failedPrecondition,
        `service.instance.id "${instance}" names no workload that ${peer} has registered`,
      );
    }
    if (workload.serviceAccount !== identity.serviceAccount) {
      throw new GrpcError(
        grpcCode.permissionDenied,
        `${workload.id} belongs to another identity than ${peer}`,
      );
    }
    history.record(workload.id, samples);
  };
}
