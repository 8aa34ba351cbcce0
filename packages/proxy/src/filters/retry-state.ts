import { Backoff } from "@weft/base/backoff";
import type { Breaker, ClusterStats } from "../cluster/cluster.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { ResetReason } from "../layer/stream.ts";
import type { RetryConditions, RetryPlan } from "../route/route-plan.ts";

/** Whether to try again; the two refusals differ in what is reported. */
export type RetryVerdict = "retry" | "no" | "limit-reached" | "overflow";

/**
 * How often one request may still be tried again, and when.
 *
 * Which answers are worth a retry is the policy's business (`RetryConditions`);
 * how many at once is the budget's (`Breaker`), which is held from the verdict
 * until the retried attempt is over.
 *
 * @see envoy source/common/router/retry_state_impl.cc for the meaning of each condition
 */
export class RetryState {
  readonly #plan: RetryPlan;
  readonly #budget: Breaker;
  readonly #stats: ClusterStats;
  readonly #backoff: Backoff;
  #left: number;
  #holdsBudget = false;

  constructor(plan: RetryPlan, budget: Breaker, stats: ClusterStats, random: () => number) {
    this.#plan = plan;
    this.#budget = budget;
    this.#stats = stats;
    this.#left = plan.numRetries;
    this.#backoff = new Backoff({ baseMs: plan.backoffBaseMs, maxMs: plan.backoffMaxMs, random });
  }

  onResponse(status: number, headers: HeaderList): RetryVerdict {
    if (!isRetriableResponse(this.#plan.on, status, headers)) {
      this.#settle(status < 500);
      return "no";
    }
    return this.#decide();
  }

  onReset(reason: ResetReason, wasRequestSent: boolean): RetryVerdict {
    if (!isRetriableReset(this.#plan.on, reason, wasRequestSent)) {
      this.release();
      return "no";
    }
    return this.#decide();
  }

  onPerTryTimeout(): RetryVerdict {
    return this.onReset("local-reset", true);
  }

  nextDelayMs(): number {
    return this.#backoff.nextMs();
  }

  /** Gives the budget back; safe to repeat. */
  release(): void {
    if (!this.#holdsBudget) return;
    this.#holdsBudget = false;
    this.#budget.release();
  }

  #decide(): RetryVerdict {
    this.release();
    if (this.#left === 0) {
      this.#stats.rqRetryLimitExceeded.value += 1;
      return "limit-reached";
    }
    if (!this.#budget.tryAcquire()) return "overflow";
    this.#holdsBudget = true;
    this.#left -= 1;
    this.#stats.rqRetry.value += 1;
    return "retry";
  }

  #settle(isSuccess: boolean): void {
    if (this.#left < this.#plan.numRetries && isSuccess) this.#stats.rqRetrySuccess.value += 1;
    this.release();
  }
}

function isRetriableResponse(on: RetryConditions, status: number, headers: HeaderList): boolean {
  if (headers.has("x-envoy-overloaded")) return false;
  if (headers.has("x-envoy-ratelimited")) return on.envoyRateLimited;
  if (on.is5xx && status >= 500) return true;
  if (on.gatewayError && status >= 502 && status <= 504) return true;
  if (on.retriable4xx && status === 409) return true;
  if (on.retriableStatuses?.has(status)) return true;
  if (on.retriableHeaders?.(headers)) return true;
  if (on.grpcStatuses) {
    const grpcStatus = headers.get("grpc-status");
    if (grpcStatus !== undefined && on.grpcStatuses.has(Number(grpcStatus))) return true;
  }
  return false;
}

function isRetriableReset(on: RetryConditions, reason: ResetReason, wasRequestSent: boolean): boolean {
  if (reason === "overflow") return false;
  if (on.reset || on.is5xx || on.gatewayError) return true;
  if (on.resetBeforeRequest && !wasRequestSent) return true;
  if (on.connectFailure && (reason === "connection-failure" || reason === "connect-timeout")) return true;
  return on.refusedStream && reason === "remote-refused";
}
