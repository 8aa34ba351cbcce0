import type { Counter } from "@weft/base/metric-registry";
import type { Breaker, Breakers, ClusterStats } from "./cluster.ts";
import type { BreakerLimits } from "./cluster-plan.ts";

/** A counter with a ceiling, which counts apart what exceeded it. */
abstract class CountingBreaker implements Breaker {
  active = 0;
  abstract readonly limit: number;
  readonly #overflow: Counter;

  constructor(overflow: Counter) {
    this.#overflow = overflow;
  }

  get isOpen(): boolean {
    return this.active >= this.limit;
  }

  tryAcquire(): boolean {
    if (this.isOpen) {
      this.#overflow.value += 1;
      return false;
    }
    this.active += 1;
    return true;
  }

  release(): void {
    this.active -= 1;
  }
}

/** The ceiling is a number, which may change while the count stays. */
class LimitBreaker extends CountingBreaker {
  limit: number;

  constructor(limit: number, overflow: Counter) {
    super(overflow);
    this.limit = limit;
  }
}

/**
 * Retries are limited by number and, always, by their share of the requests in
 * flight, so that they cannot turn a slow service into a dead one.
 */
class RetryBreaker extends CountingBreaker {
  readonly #set: BreakerSet;

  constructor(set: BreakerSet, overflow: Counter) {
    super(overflow);
    this.#set = set;
  }

  get limit(): number {
    const { limits, requests, pending } = this.#set;
    const budget = Math.floor((limits.retryBudgetPercent * (requests.active + pending.active)) / 100);
    return Math.min(limits.maxRetries, Math.max(limits.minRetryConcurrency, budget));
  }
}

/** The breakers of one routing priority; `limits` may be replaced while calls are counted. */
export class BreakerSet implements Breakers {
  readonly connections: LimitBreaker;
  readonly pending: LimitBreaker;
  readonly requests: LimitBreaker;
  readonly retries: RetryBreaker;
  #limits: BreakerLimits;

  constructor(limits: BreakerLimits, stats: ClusterStats) {
    this.#limits = limits;
    this.connections = new LimitBreaker(limits.maxConnections, stats.cxOverflow);
    this.pending = new LimitBreaker(limits.maxPendingRequests, stats.rqPendingOverflow);
    this.requests = new LimitBreaker(limits.maxRequests, stats.rqPendingOverflow);
    this.retries = new RetryBreaker(this, stats.rqRetryOverflow);
  }

  get limits(): BreakerLimits {
    return this.#limits;
  }

  set limits(limits: BreakerLimits) {
    this.#limits = limits;
    this.connections.limit = limits.maxConnections;
    this.pending.limit = limits.maxPendingRequests;
    this.requests.limit = limits.maxRequests;
  }
}
