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
const prefixLength = 8;
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
  const prefix = hexPrefix(requestId);
  if (prefix < 0) return "not-traceable";
  const bucket = prefix % idBuckets;
  let reason = (requestId.length === idLength && reasons[requestId[reasonAt]!]) || "not-traceable";
  if (reason === "not-traceable") {
    if (isClientTraced && isWithin(shares.client, Math.floor(random() * shares.client.denominator)))
      reason = "client-enabled";
    else if (isWithin(shares.random, bucket)) reason = "random-sampling";
  }
  return isWithin(shares.overall, bucket) ? reason : "not-traceable";
}

/** What the first eight hexadecimal digits come to; -1 where the text does not begin with so many. */
function hexPrefix(text: string): number {
  if (text.length < prefixLength) return -1;
  let value = 0;
  for (let i = 0; i < prefixLength; i++) {
    const unit = text.charCodeAt(i);
    // Letters in lower case: their codes with the bit set that tells them from upper case.
    const letter = unit | 0x20;
    if (unit >= 0x30 && unit <= 0x39) value = value * 16 + unit - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) value = value * 16 + letter - 0x57;
    else return -1;
  }
  return value;
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
