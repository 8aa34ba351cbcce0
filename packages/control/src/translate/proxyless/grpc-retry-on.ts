/** The statuses by which gRPC retries; other conditions of `retry_on` mean nothing to it (gRFC A44). */
export const grpcRetryOn: ReadonlySet<string> = new Set([
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
]);
