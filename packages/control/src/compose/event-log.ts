import type { Clock } from "@weft/base/clock";
import type { MeshEvent } from "../api/protocol.ts";

/** Of one kind, so that what happens all the time pushes out nothing that happens seldom. */
const capacityOfKind = 300;
const maxMessageLength = 1_000;

/** The last things of each kind that happened in the mesh, in memory: the oldest leave when there are many. */
export class EventLog {
  readonly #clock: Clock;
  readonly #kinds = new Map<string, MeshEvent[]>();
  readonly #waiting = new Set<() => void>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Events since the start: the number of the newest. */
  get count(): number {
    return this.#count;
  }

  add(kind: string, message: string): void {
    const ring = this.#kinds.get(kind) ?? [];
    this.#kinds.set(kind, ring);
    this.#count += 1;
    const atMs = this.#clock.now();
    ring.push({ number: this.#count, atMs, kind, message: message.slice(0, maxMessageLength) });
    if (ring.length > capacityOfKind) ring.shift();
    for (const wake of [...this.#waiting]) wake();
  }

  /** Every event after now, until the signal aborts. Who reads slowly misses what is no longer kept. */
  async *watch(signal: AbortSignal): AsyncGenerator<MeshEvent, void, undefined> {
    for (let seen = this.#count; !signal.aborted; ) {
      if (this.#count === seen) await this.#nextEvent(signal);
      for (const event of this.since(seen)) {
        seen = event.number;
        yield event;
      }
    }
  }

  #nextEvent(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  /** Newest last. */
  recent(limit: number): readonly MeshEvent[] {
    return this.since(0).slice(-limit);
  }

  /** What is kept of all after the event of that number, newest last. */
  since(number: number): readonly MeshEvent[] {
    return [...this.#kinds.values()]
      .flatMap((ring) => ring.filter((event) => event.number > number))
      .sort((a, b) => a.number - b.number);
  }
}
