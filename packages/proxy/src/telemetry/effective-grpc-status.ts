import type { Exchange } from "../layer/exchange.ts";

/** What a gRPC client sees where no status was said: by the HTTP status. */
const grpcOfHttp: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};
const unknown = 2;

/** The gRPC status of an answer, said or by its HTTP status; not a number where what was said is none. */
export function effectiveGrpcStatus({
  response,
  responseTrailers,
}: Pick<Exchange, "response" | "responseTrailers">): number {
  const said = responseTrailers?.get("grpc-status") ?? response?.headers.get("grpc-status");
  return said === undefined ? (grpcOfHttp[response?.status ?? 0] ?? unknown) : Number(said);
}
