import { grpcCodeNames } from "@weft/xds/grpc/grpc-status";

/** gRPC status codes in the two spellings `%GRPC_STATUS%` knows. */
export const grpcStatusNames = {
  SNAKE_STRING: grpcCodeNames,
  CAMEL_STRING: grpcCodeNames.map((name) =>
    name === "OK"
      ? name
      : name
          .split("_")
          .map((word) => word[0] + word.slice(1).toLowerCase())
          .join(""),
  ),
} as const;
