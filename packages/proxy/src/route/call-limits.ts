import type { RetryPlan } from "./retry-plan.ts";

/** How long a request may take upstream. Milliseconds; 0 means without end. */
export interface CallLimits {
  /** The whole request, from its last byte to the last byte of the answer, retries included. */
  readonly timeoutMs: number;
  /** Each try, up to the first byte of its answer. */
  readonly perTryTimeoutMs: number;
  /** Each try, without anything from the upstream. */
  readonly perTryIdleTimeoutMs: number;
  /** A try that takes too long goes on while another is made. */
  readonly hedgesOnTimeout: boolean;
  /** What a request that took too long is answered with. */
  readonly timeoutStatus: 504 | 204;
}

/** The limits a route sets. A try is never given more than the whole request. */
export function routeLimits(
  timeoutMs: number,
  retry: Pick<RetryPlan, "perTryTimeoutMs" | "perTryIdleTimeoutMs"> | undefined,
  hedgesOnTimeout: boolean,
): CallLimits {
  return {
    timeoutMs,
    perTryTimeoutMs: withinTotal(retry?.perTryTimeoutMs ?? 0, timeoutMs),
    perTryIdleTimeoutMs: retry?.perTryIdleTimeoutMs ?? 0,
    hedgesOnTimeout,
    timeoutStatus: 504,
  };
}

/** A try's timeout that cannot come before the whole request's is none. */
export function withinTotal(perTryTimeoutMs: number, timeoutMs: number): number {
  return timeoutMs > 0 && perTryTimeoutMs >= timeoutMs ? 0 : perTryTimeoutMs;
}
