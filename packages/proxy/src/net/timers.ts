import type { Clock, Timer } from "@weft/base/clock";

/** What a timer calls when it is due; `kind` tells an owner's timers apart. */
export interface TimerOwner {
  onTimer(kind: number): void;
}

/**
 * One pending deadline. Owned by whoever waits and used again for every wait,
 * so that starting and stopping allocates nothing.
 */
export class TimerEntry {
  readonly owner: TimerOwner;
  readonly kind: number;
  deadlineMs = 0;
  queue: TimerQueue | undefined = undefined;
  previous: TimerEntry | undefined = undefined;
  next: TimerEntry | undefined = undefined;

  constructor(owner: TimerOwner, kind: number) {
    this.owner = owner;
    this.kind = kind;
  }

  get isPending(): boolean {
    return this.queue !== undefined;
  }

  stop(): void {
    this.queue?.remove(this);
  }
}

/** Entries of one duration in order of deadline; one clock timer serves them all. */
class TimerQueue {
  readonly durationMs: number;
  readonly #timers: Timers;
  #head: TimerEntry | undefined;
  #tail: TimerEntry | undefined;
  #timer: Timer | undefined;

  constructor(durationMs: number, timers: Timers) {
    this.durationMs = durationMs;
    this.#timers = timers;
  }

  append(entry: TimerEntry, nowMs: number): void {
    entry.queue = this;
    entry.deadlineMs = nowMs + this.durationMs;
    entry.previous = this.#tail;
    entry.next = undefined;
    if (this.#tail) this.#tail.next = entry;
    else this.#head = entry;
    this.#tail = entry;
    if (!this.#timer) this.#arm(this.durationMs);
  }

  remove(entry: TimerEntry): void {
    if (entry.previous) entry.previous.next = entry.next;
    else this.#head = entry.next;
    if (entry.next) entry.next.previous = entry.previous;
    else this.#tail = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    entry.queue = undefined;
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  #arm(delayMs: number): void {
    this.#timer = this.#timers.clock.setTimer(() => this.#fire(), delayMs);
  }

  #fire(): void {
    this.#timer = undefined;
    const nowMs = this.#timers.clock.monotonicMs();
    // Half a millisecond early counts as due: the loop's own timers are no finer.
    while (this.#head && this.#head.deadlineMs <= nowMs + 0.5) {
      const entry = this.#head;
      this.remove(entry);
      entry.owner.onTimer(entry.kind);
    }
    if (this.#timer) return;
    if (this.#head) this.#arm(Math.max(1, this.#head.deadlineMs - nowMs));
    else this.#timers.forget(this);
  }
}

/**
 * Timeouts that cost two pointer writes to start and to stop.
 *
 * Nearly every timeout on the request path is cancelled before it fires, and
 * there are few distinct durations, so each duration has one queue and one
 * clock timer; stopping leaves that timer armed and it finds nothing to do.
 */
export class Timers {
  readonly clock: Clock;
  readonly #queues = new Map<number, TimerQueue>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Starts or restarts `entry`. A duration of 0 means "no timeout". */
  start(entry: TimerEntry, durationMs: number, nowMs: number): void {
    if (entry.queue) entry.queue.remove(entry);
    if (durationMs <= 0) return;
    let queue = this.#queues.get(durationMs);
    if (!queue) {
      queue = new TimerQueue(durationMs, this);
      this.#queues.set(durationMs, queue);
    }
    queue.append(entry, nowMs);
  }

  /** Cancels the clock timers; pending entries never fire. */
  close(): void {
    for (const queue of this.#queues.values()) queue.cancel();
    this.#queues.clear();
  }

  forget(queue: TimerQueue): void {
    if (this.#queues.get(queue.durationMs) === queue) this.#queues.delete(queue.durationMs);
  }
}
