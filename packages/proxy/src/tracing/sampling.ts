/** Why a request is traced. @see Envoy's `http.*.tracing.*` statistics, which are named so */
export type TraceReason = "not-traceable" | "random-sampling" | "service-forced" | "client-enabled";

/** `numerator` of `denominator`. */
export interface Share {
  readonly numerator: number;
  readonly denominator: number;
}

/** @see envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing */
export interface SamplingShares {
  /** Of requests with `x-client-trace-id`. */
  readonly client: Share;
  /** Of all others. */
  readonly random: Share;
  /** Of what these choose. */
  readonly overall: Share;
}

/** A request id is a UUID whose version digit says whether and why its request is traced: all proxies on its way agree. */
const idLength = 36;
const reasonAt = 14;
const idBuckets = 10_000;
const reasons: Readonly<Record<string, TraceReason>> = {
  "9": "random-sampling",
  a: "service-forced",
  b: "client-enabled",
};
const digits: Readonly<Record<TraceReason, string>> = {
  "not-traceable": "4",
  "random-sampling": "9",
  "service-forced": "a",
  "client-enabled": "b",
};

/** Whether this request is traced, by its id and the configured shares. `random` is uniform in [0, 1). */
export function decideTrace(
  requestId: string,
  isClientTraced: boolean,
  shares: SamplingShares,
  random: () => number,
): TraceReason {
  const prefix = requestId.slice(0, 8);
  if (!/^[0-9a-fA-F]{8}$/.test(prefix)) return "not-traceable";
  const bucket = Number.parseInt(prefix, 16) % idBuckets;
  let reason = (requestId.length === idLength && reasons[requestId[reasonAt]!]) || "not-traceable";
  if (reason === "not-traceable") {
    if (isClientTraced && isWithin(shares.client, Math.floor(random() * shares.client.denominator)))
      reason = "client-enabled";
    else if (isWithin(shares.random, bucket)) reason = "random-sampling";
  }
  return isWithin(shares.overall, bucket) ? reason : "not-traceable";
}

/** The id that carries the decision; the id itself where it is no UUID. */
export function markRequestId(requestId: string, reason: TraceReason): string {
  if (requestId.length !== idLength) return requestId;
  const digit = digits[reason];
  if (requestId[reasonAt] === digit) return requestId;
  return requestId.slice(0, reasonAt) + digit + requestId.slice(reasonAt + 1);
}

function isWithin({ numerator, denominator }: Share, value: number): boolean {
  return value % denominator < numerator;
}
