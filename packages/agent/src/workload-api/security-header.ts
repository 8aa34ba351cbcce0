import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { ServerCall } from "@weft/xds/grpc/server-call";

/**
 * Refuses a call without the header that no request forged through a victim's
 * own client carries (server-side request forgery).
 *
 * @throws GrpcError INVALID_ARGUMENT
 * @see https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_Endpoint.md §6
 */
export function requireSecurityHeader(call: ServerCall): void {
  if (call.metadata("workload.spiffe.io") === "true") return;
  throw new GrpcError(
    grpcCode.invalidArgument,
    "security header missing from request: workload.spiffe.io must be true",
  );
}
