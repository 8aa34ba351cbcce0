/**
 * The HTTP status that says the same as a gRPC status code.
 *
 * @see https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
 */
export function httpStatusOfGrpc(grpcStatus: number): number {
  return httpStatuses[grpcStatus] ?? 500;
}

/** By gRPC code: OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT … UNAUTHENTICATED. */
const httpStatuses = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
