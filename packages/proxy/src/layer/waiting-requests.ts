import type { Breakers, ClusterStats } from "../cluster/cluster.ts";
import type { PoolRequester, UpstreamPool } from "./upstream-pool.ts";

interface Waiting {
  readonly requester: PoolRequester;
  readonly breakers: Breakers;
}

/** Requests that wait for a connection, first come first served, each counted against its pending breaker. */
export class WaitingRequests {
  readonly #stats: ClusterStats;
  readonly #queue: Waiting[] = [];

  constructor(stats: ClusterStats) {
    this.#stats = stats;
  }

  get length(): number {
    return this.#queue.length;
  }

  /** The breakers of the request that is served next. */
  get nextBreakers(): Breakers | undefined {
    return this.#queue[0]?.breakers;
  }

  /** False when the breaker is at its limit: the request has failed with an overflow. */
  add(requester: PoolRequester, breakers: Breakers): boolean {
    if (!breakers.pending.tryAcquire()) {
      requester.onStreamFailed("overflow", "", false);
      return false;
    }
    this.#stats.rqPendingTotal.value += 1;
    this.#stats.rqPendingActive.value += 1;
    this.#queue.push({ requester, breakers });
    return true;
  }

  /** The next request, which no longer waits. */
  take(): PoolRequester | undefined {
    const next = this.#queue.shift();
    if (next) this.#release(next);
    return next?.requester;
  }

  /** Fails the next request because no connection could be made for it. */
  failNext(isTimeout: boolean, transport: string, isTls: boolean): void {
    const next = this.#queue.shift();
    if (next) this.#fail(next, isTimeout, transport, isTls);
  }

  /** Fails all that wait now; those that come again at once wait for another connection. */
  failAll(isTimeout: boolean, transport: string, isTls: boolean): void {
    for (const waiting of this.#queue.splice(0)) this.#fail(waiting, isTimeout, transport, isTls);
  }

  /** Lets all that wait now ask another pool, in their order. */
  moveTo(pool: UpstreamPool): void {
    for (const waiting of this.#queue.splice(0)) {
      this.#release(waiting);
      pool.request(waiting.requester, waiting.breakers, false);
    }
  }

  /** Forgets a request that gave up; nothing happens when it does not wait. */
  cancel(requester: PoolRequester): void {
    const at = this.#queue.findIndex((waiting) => waiting.requester === requester);
    if (at < 0) return;
    const [waiting] = this.#queue.splice(at, 1);
    this.#release(waiting!);
  }

  #fail(waiting: Waiting, isTimeout: boolean, transport: string, isTls: boolean): void {
    this.#release(waiting);
    this.#stats.rqPendingFailureEject.value += 1;
    waiting.requester.onStreamFailed(isTimeout ? "connect-timeout" : "connection-failure", transport, isTls);
  }

  #release(waiting: Waiting): void {
    waiting.breakers.pending.release();
    this.#stats.rqPendingActive.value -= 1;
  }
}
