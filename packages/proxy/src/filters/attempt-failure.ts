import type { ResetReason } from "../layer/stream.ts";

/** How an attempt failed before its response was complete. */
export interface AttemptFailure {
  readonly reason: ResetReason;
  /** What the transport said; "" when it said nothing. */
  readonly transport: string;
  /** Whether TLS said it. */
  readonly isTls: boolean;
  /** The upstream provably did not act on the request. */
  readonly isUnprocessed: boolean;
  /** A reused connection closed before any answer: the upstream ended it as we began. The endpoint is not yet charged with it. */
  readonly isKeepAliveRace: boolean;
}
