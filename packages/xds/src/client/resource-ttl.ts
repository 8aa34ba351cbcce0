import type { Clock, Timer } from "@weft/base/clock";
import type { ReceivedResource } from "./ads-handler.ts";

/**
 * Lifetimes of resources that were given one: unless the server says them
 * again, whole or as a heartbeat, they are gone when it is over.
 *
 * One timer, for whatever ends next.
 */
export class ResourceTtl {
  readonly #clock: Clock;
  readonly #onExpired: (typeUrl: string, names: readonly string[]) => void;
  /** By type and name: when it ends, on the monotonic clock. */
  readonly #ends = new Map<string, Map<string, number>>();
  #timer: Timer | undefined;

  constructor(clock: Clock, onExpired: (typeUrl: string, names: readonly string[]) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  /** Starts, renews or, without a lifetime, ends the wait for these. */
  set(typeUrl: string, resources: readonly Pick<ReceivedResource, "name" | "ttlMs">[]): void {
    if (this.#ends.size === 0 && resources.every(({ ttlMs }) => ttlMs === undefined)) return;
    const ends = this.#ends.get(typeUrl) ?? new Map<string, number>();
    for (const { name, ttlMs } of resources) {
      if (ttlMs === undefined) ends.delete(name);
      else ends.set(name, this.#clock.monotonicMs() + ttlMs);
    }
    if (ends.size > 0) this.#ends.set(typeUrl, ends);
    else this.#ends.delete(typeUrl);
    this.#schedule();
  }

  forget(typeUrl: string, names: readonly string[]): void {
    if (this.#ends.has(typeUrl)) {
      this.set(
        typeUrl,
        names.map((name) => ({ name, ttlMs: undefined })),
      );
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#ends.clear();
  }

  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    let next = Number.POSITIVE_INFINITY;
    for (const ends of this.#ends.values()) for (const endMs of ends.values()) next = Math.min(next, endMs);
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.setTimer(() => this.#expire(), next - this.#clock.monotonicMs());
  }

  #expire(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [typeUrl, ends] of [...this.#ends]) {
      const over = [...ends].filter(([, endMs]) => endMs <= nowMs).map(([name]) => name);
      for (const name of over) ends.delete(name);
      if (ends.size === 0) this.#ends.delete(typeUrl);
      if (over.length > 0) this.#onExpired(typeUrl, over);
    }
    this.#schedule();
  }
}
