import { TimerEntry, type TimerOwner, type Timers } from "../net/timers.ts";

/** What an exchange does when it has taken too long. */
export interface ExchangeDeadlines {
  /** The request did not become complete in time. */
  onRequestTimeout(): void;
  /** Nothing moved for too long. */
  onIdleTimeout(): void;
  /** Request and answer together took too long. */
  onDurationTimeout(): void;
}

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
  readonly #deadlines: ExchangeDeadlines;
  #request: TimerEntry | undefined = undefined;
  #idle: TimerEntry | undefined = undefined;
  #duration: TimerEntry | undefined = undefined;
  #idleMs = 0;

  constructor(timers: Timers, deadlines: ExchangeDeadlines) {
    this.#timers = timers;
    this.#deadlines = deadlines;
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
    if (kind === requestTimer) this.#deadlines.onRequestTimeout();
    else if (kind === idleTimer) this.#deadlines.onIdleTimeout();
    else this.#deadlines.onDurationTimeout();
  }
}
