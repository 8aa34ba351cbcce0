import { Backoff } from "@weft/base/backoff";
import type { Breaker, ClusterStats } from "../cluster/cluster.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { LayerContext } from "../layer/http-service.ts";
import type { RequestHead } from "../layer/message.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { ResetReason } from "../layer/stream.ts";
import type { RateLimitedBackoff, RetryConditions, RetryPlan } from "../route/retry-plan.ts";
import type { AttemptFailure } from "./attempt-failure.ts";
import type { RequestBody } from "./request-body.ts";

/** Whether to try again; the two refusals differ in what is reported. */
export type RetryVerdict = "retry" | "no" | "limit-reached" | "overflow";

/** What the access log is told of a retry that was refused. */
export function refusalFlag(verdict: RetryVerdict): number {
  if (verdict === "limit-reached") return ResponseFlag.UpstreamRetryLimitExceeded;
  return verdict === "overflow" ? ResponseFlag.UpstreamOverflow : 0;
}

/**
 * Whether a request that met a closing connection may be sent again unasked:
 * it was not acted upon, or is harmless to repeat (RFC 9110 §9.2.2).
 */
export function mayRepeat(
  { isUnprocessed }: AttemptFailure,
  { method }: RequestHead,
  { isReplayable }: RequestBody,
): boolean {
  return isReplayable && (isUnprocessed || idempotent.has(method));
}

const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

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
  readonly #context: LayerContext;
  #left: number;
  #holdsBudget = false;
  #backoff: Backoff | undefined = undefined;
  /** What the upstream asked for in its last answer. */
  #resetAfterMs = 0;

  constructor(plan: RetryPlan, budget: Breaker, stats: ClusterStats, context: LayerContext) {
    this.#plan = plan;
    this.#budget = budget;
    this.#stats = stats;
    this.#context = context;
    this.#left = plan.numRetries;
  }

  onResponse(status: number, headers: HeaderList): RetryVerdict {
    if (!this.isRetriable(status, headers)) {
      this.#settle(status < 500);
      return "no";
    }
    const { rateLimited } = this.#plan;
    if (rateLimited) this.#resetAfterMs = resetAfterMs(rateLimited, headers, this.#context.clock.now());
    return this.#decide();
  }

  /** Whether the policy would try again after such an answer. */
  isRetriable(status: number, headers: HeaderList): boolean {
    return isRetriableResponse(this.#plan, status, headers);
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

  /** Another attempt beside one that takes too long: nothing was reset, so no condition must name it. */
  onHedge(): RetryVerdict {
    return this.#decide();
  }

  nextDelayMs(): number {
    const lowestMs = this.#resetAfterMs;
    this.#resetAfterMs = 0;
    if (lowestMs > 0) {
      this.#stats.rqRetryBackoffRateLimited.value += 1;
      return Math.round(lowestMs * (1 + this.#context.random() / 2));
    }
    this.#stats.rqRetryBackoffExponential.value += 1;
    const { backoffBaseMs: baseMs, backoffMaxMs: maxMs } = this.#plan;
    this.#backoff ??= new Backoff({ baseMs, maxMs, random: this.#context.random });
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
    this.#left -= 1;
    if (!this.#budget.tryAcquire()) return "overflow";
    this.#holdsBudget = true;
    this.#stats.rqRetry.value += 1;
    return "retry";
  }

  #settle(isSuccess: boolean): void {
    if (this.#left < this.#plan.numRetries && isSuccess) this.#stats.rqRetrySuccess.value += 1;
    this.release();
  }
}

function isRetriableResponse(plan: RetryPlan, status: number, headers: HeaderList): boolean {
  const { on } = plan;
  if (headers.has("x-envoy-ratelimited")) return on.envoyRateLimited;
  if (on.is5xx && status >= 500) return true;
  if (on.gatewayError && status >= 502 && status <= 504) return true;
  if (on.retriable4xx && status === 409) return true;
  if (on.retriableStatuses && plan.statuses.has(status)) return true;
  if (on.retriableHeaders && plan.headers.some((matches) => matches(headers))) return true;
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

/** How long the upstream wants to be left alone, 0 when it does not say so in a way that counts. */
function resetAfterMs({ headers, maxMs }: RateLimitedBackoff, response: HeaderList, nowMs: number): number {
  for (const { name, format } of headers) {
    const text = response.get(name);
    if (text === undefined || !/^\d{1,15}$/.test(text)) continue;
    const afterMs = format === "seconds" ? Number(text) * 1_000 : Number(text) * 1_000 - nowMs;
    if (afterMs > 0 && afterMs <= maxMs) return afterMs;
  }
  return 0;
}
