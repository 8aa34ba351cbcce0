import type { SpiffeId } from "@weft/identity/spiffe-id";
import { parseWorkloadId } from "@weft/identity/workload-id";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { Workload } from "../registry/workload.ts";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";

/**
 * The workload of an instance that says something of itself: it must be
 * registered by the identity that says it.
 *
 * @throws GrpcError for an instance that is not there, or another's
 */
export function ownWorkload(registry: WorkloadRegistry, instance: string, peer: SpiffeId): Workload {
  const identity = parseWorkloadId(peer);
  const workload = identity && registry.get(`${instance}.${identity.namespace}`);
  if (!workload) {
    throw new GrpcError(
      grpcCode.failedPrecondition,
      `service.instance.id "${instance}" names no workload that ${peer} has registered`,
    );
  }
  if (workload.serviceAccount !== identity.serviceAccount) {
    throw new GrpcError(grpcCode.permissionDenied, `${workload.id} belongs to another identity than ${peer}`);
  }
  return workload;
}
