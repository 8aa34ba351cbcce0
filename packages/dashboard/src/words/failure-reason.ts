/** What Envoy's response flags say, in the words of someone who has to mend it. */
const reasons: Readonly<Record<string, string>> = {
  UH: "no healthy endpoint was left",
  UF: "no connection to the endpoint could be made",
  UO: "a circuit breaker was at its limit",
  NR: "no route matched",
  NC: "the route names a cluster that is not there",
  UC: "the connection broke before the answer",
  UR: "the endpoint reset the stream",
  LR: "the connection was reset here",
  UT: "it took longer than the route's timeout",
  URX: "retries were used up",
  DC: "the caller went away",
  FI: "an injected abort (fault)",
  DI: "an injected delay (fault)",
  RL: "the local rate limit",
  RLSE: "the rate limit service failed",
  UAEX: "the external authorization refused it",
  OM: "the overload manager refused it",
  SI: "the stream was idle for too long",
  UMSDR: "the longest time for a stream was over",
  DPE: "the caller broke the protocol",
  UPE: "the endpoint broke the protocol",
};

/** Why calls ended so: by flags where a sidecar answered, by status where the application did. */
export function failureReason(failure: {
  readonly flags: string;
  readonly responseCode: string;
  readonly grpcStatus: string;
}): string {
  const known = failure.flags.split(",").flatMap((flag) => reasons[flag] ?? []);
  if (known.length > 0) return known.join("; ");
  if (failure.responseCode === "403" || failure.grpcStatus === "7")
    return "refused by a policy, or by the application";
  if (failure.grpcStatus !== "" && failure.grpcStatus !== "0")
    return "the application answered with this gRPC status";
  return "the application answered with this status";
}
