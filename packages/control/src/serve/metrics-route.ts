import { parseSpiffeId, type SpiffeId } from "@weft/identity/spiffe-id";
import {
  type ExportMetricsServiceRequest,
  MetricsService,
} from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import { type GrpcRoute, unaryRoute } from "@weft/xds/grpc/grpc-route";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";

/** Takes what a workload measured. May throw a `GrpcError` to refuse it. */
export type TakeMetrics = (request: ExportMetricsServiceRequest, peer: SpiffeId) => void;

/** OTLP metrics, from workloads of the mesh only. */
export function metricsRoute(takeMetrics: TakeMetrics): GrpcRoute {
  return unaryRoute(MetricsService.method.export, async (request, call) => {
    const { spiffeId } = call.peer;
    if (spiffeId === undefined) {
      throw new GrpcError(grpcCode.unauthenticated, "metrics need the workload's certificate");
    }
    takeMetrics(request, parseSpiffeId(spiffeId));
    return {};
  });
}
