import type { Clock, Timer } from "@weft/base/clock";
import type { Decoded } from "./resource-decoder.ts";

/** A resource with the state `/config_dump` shows. */
export interface Held<Plan> extends Decoded<Plan> {
  readonly isStatic: boolean;
  readonly version: string;
  readonly updatedMs: number;
}

interface Waiting<Plan> {
  readonly held: Held<Plan>;
  timer: Timer | undefined;
}

export interface WarmingOptions<Plan> {
  readonly clock: Clock;
  /** How long what a resource needs is waited for; 0 is for ever. */
  timeoutMs(held: Held<Plan>): number;
  /** Whether everything the resource needs is there. */
  isReady(held: Held<Plan>): boolean;
  /** Puts it in force. */
  activate(held: Held<Plan>): void;
  deactivate(name: string, held: Held<Plan>): void;
}

/**
 * Holds resources of one type, the ones in force and the ones that still wait
 * for what they need. A new version takes over only once it is ready; until
 * then the old one stays in force, so that a change never leaves a gap.
 *
 * What does not come within the time limit is no longer waited for: serving
 * something beats serving nothing.
 */
export class Warming<Plan> {
  readonly #options: WarmingOptions<Plan>;
  readonly #active = new Map<string, Held<Plan>>();
  readonly #waiting = new Map<string, Waiting<Plan>>();

  constructor(options: WarmingOptions<Plan>) {
    this.#options = options;
  }

  get active(): ReadonlyMap<string, Held<Plan>> {
    return this.#active;
  }

  get isWarm(): boolean {
    return this.#waiting.size === 0;
  }

  get(name: string): Held<Plan> | undefined {
    return this.#active.get(name);
  }

  /** The newest accepted version, in force or not. */
  latest(name: string): Held<Plan> | undefined {
    return this.#waiting.get(name)?.held ?? this.#active.get(name);
  }

  *waiting(): Iterable<Held<Plan>> {
    for (const { held } of this.#waiting.values()) yield held;
  }

  /** The newest accepted version of each. */
  *newest(): Iterable<Held<Plan>> {
    yield* this.waiting();
    for (const [name, held] of this.#active) if (!this.#waiting.has(name)) yield held;
  }

  /** Everything that may still be asked for: active and waiting. */
  *all(): Iterable<Held<Plan>> {
    yield* this.#active.values();
    yield* this.waiting();
  }

  set(name: string, held: Held<Plan>): void {
    this.#stopWaiting(name);
    if (this.#options.isReady(held)) {
      this.#activate(name, held);
      return;
    }
    const waiting: Waiting<Plan> = { held, timer: undefined };
    this.#waiting.set(name, waiting);
    const timeoutMs = this.#options.timeoutMs(held);
    if (timeoutMs > 0) {
      waiting.timer = this.#options.clock.setTimer(() => {
        this.#stopWaiting(name);
        this.#activate(name, held);
      }, timeoutMs);
    }
  }

  remove(name: string): void {
    this.#stopWaiting(name);
    const held = this.#active.get(name);
    if (!held) return;
    this.#active.delete(name);
    this.#options.deactivate(name, held);
  }

  /** Puts in force whatever has become ready. */
  check(): void {
    for (const [name, { held }] of [...this.#waiting]) {
      if (!this.#options.isReady(held)) continue;
      this.#stopWaiting(name);
      this.#activate(name, held);
    }
  }

  /** Forgets all timers. */
  close(): void {
    for (const name of [...this.#waiting.keys()]) this.#stopWaiting(name);
  }

  #activate(name: string, held: Held<Plan>): void {
    this.#active.set(name, held);
    this.#options.activate(held);
  }

  #stopWaiting(name: string): void {
    this.#waiting.get(name)?.timer?.cancel();
    this.#waiting.delete(name);
  }
}
