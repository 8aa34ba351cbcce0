const snake = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** gRPC status codes in the two spellings `%GRPC_STATUS%` knows. */
export const grpcStatusNames = {
  SNAKE_STRING: snake,
  CAMEL_STRING: snake.map((name) =>
    name === "OK"
      ? name
      : name
          .split("_")
          .map((word) => word[0] + word.slice(1).toLowerCase())
          .join(""),
  ),
} as const;
