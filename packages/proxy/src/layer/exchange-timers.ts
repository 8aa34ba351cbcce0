import { TimerEntry, type TimerOwner, type Timers } from "../net/timers.ts";
import type { HttpService } from "./http-service.ts";
import { ResponseFlag } from "./response-flag.ts";

/** An exchange that may take too long. */
export interface TimedExchange {
  readonly service: HttpService;
  readonly isRequestDone: boolean;
  reply(status: number, body: string, details: string, flags?: number, grpcStatus?: number): void;
}

/** gRPC's status for it. */
const deadlineExceeded = 4;
const requestTimer = 0;
const idleTimer = 1;
const durationTimer = 2;

/**
 * The deadlines of one exchange. A duration of 0 is none and costs nothing.
 *
 * @see envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager `request_timeout`, `stream_idle_timeout`
 * @see envoy.config.route.v3.RouteAction.MaxStreamDuration
 */
export class ExchangeTimers implements TimerOwner {
  readonly #timers: Timers;
  readonly #exchange: TimedExchange;
  #request: TimerEntry | undefined = undefined;
  #idle: TimerEntry | undefined = undefined;
  #duration: TimerEntry | undefined = undefined;
  #idleMs = 0;

  constructor(timers: Timers, exchange: TimedExchange) {
    this.#timers = timers;
    this.#exchange = exchange;
  }

  startRequest(durationMs: number, nowMs: number): void {
    if (durationMs === 0) return;
    this.#request = new TimerEntry(this, requestTimer);
    this.#timers.start(this.#request, durationMs, nowMs);
  }

  stopRequest(): void {
    this.#request?.stop();
  }

  /** Starts the idle timeout, or gives it another duration from now on. */
  startIdle(durationMs: number, nowMs: number): void {
    this.#idleMs = durationMs;
    if (!this.#idle) {
      if (durationMs === 0) return;
      this.#idle = new TimerEntry(this, idleTimer);
    }
    this.#timers.start(this.#idle, durationMs, nowMs);
  }

  /** Limits the whole exchange, which began at `startMs`; 0 lifts the limit. */
  limitDuration(durationMs: number, startMs: number): void {
    if (!this.#duration) {
      if (durationMs === 0) return;
      this.#duration = new TimerEntry(this, durationTimer);
    }
    this.#timers.start(this.#duration, durationMs, startMs);
  }

  /** Something moved: the idle timeout starts anew. */
  touch(): void {
    if (this.#idle) this.#timers.start(this.#idle, this.#idleMs, this.#timers.clock.monotonicMs());
  }

  stop(): void {
    this.#request?.stop();
    this.#idle?.stop();
    this.#duration?.stop();
  }

  onTimer(kind: number): void {
    const exchange = this.#exchange;
    const { stats } = exchange.service;
    const status = exchange.isRequestDone ? 504 : 408;
    if (kind === requestTimer) {
      stats.rqTimeout.value += 1;
      exchange.reply(408, "request timeout", "request_overall_timeout");
    } else if (kind === idleTimer) {
      stats.rqIdleTimeout.value += 1;
      exchange.reply(status, "stream timeout", "stream_idle_timeout", ResponseFlag.StreamIdleTimeout);
    } else {
      stats.rqMaxDurationReached.value += 1;
      exchange.reply(status, "downstream duration timeout", "max_duration_timeout", 0, deadlineExceeded);
    }
  }
}
