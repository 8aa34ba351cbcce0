import { TimerEntry, type TimerOwner, type Timers } from "../net/timers.ts";

/** @see envoy.config.core.v3.KeepaliveSettings */
export interface KeepAlivePlan {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** The interval is longer by a random share up to this. */
  readonly jitterPercent: number;
}

/** What the session does for its keep-alive. */
export interface KeepAliveSession {
  sendKeepAlive(): void;
  /** The peer did not answer in time. */
  onKeepAliveLost(): void;
}

const intervalTimer = 0;
const answerTimer = 1;

/**
 * Asks the peer of a connection for a sign of life again and again, one PING at
 * a time, and tells when there is none.
 */
export class KeepAlive implements TimerOwner {
  readonly #plan: KeepAlivePlan;
  readonly #timers: Timers;
  readonly #session: KeepAliveSession;
  readonly #random: () => number;
  readonly #interval = new TimerEntry(this, intervalTimer);
  readonly #answer = new TimerEntry(this, answerTimer);

  constructor(plan: KeepAlivePlan, timers: Timers, session: KeepAliveSession, random = Math.random) {
    this.#plan = plan;
    this.#timers = timers;
    this.#session = session;
    this.#random = random;
  }

  /** Waits for the interval; called once the connection is open. */
  start(): void {
    const { intervalMs, jitterPercent } = this.#plan;
    const jitterMs = Math.floor((intervalMs * jitterPercent * this.#random()) / 100);
    this.#timers.start(this.#interval, intervalMs + jitterMs, this.#timers.clock.monotonicMs());
  }

  onAnswer(): void {
    if (!this.#answer.isPending) return;
    this.#answer.stop();
    this.start();
  }

  stop(): void {
    this.#interval.stop();
    this.#answer.stop();
  }

  onTimer(kind: number): void {
    if (kind === answerTimer) {
      this.#session.onKeepAliveLost();
      return;
    }
    this.#timers.start(this.#answer, this.#plan.timeoutMs, this.#timers.clock.monotonicMs());
    this.#session.sendKeepAlive();
  }
}
