import type { Clock } from "@weft/base/clock";
import type { MeshEvent } from "../api/protocol.ts";

/** Of one kind, so that what happens all the time pushes out nothing that happens seldom. */
const capacityOfKind = 300;
const maxMessageLength = 1_000;

interface NumberedEvent extends MeshEvent {
  /** Counts all events since the start. */
  readonly number: number;
}

/** The last things of each kind that happened in the mesh, in memory: the oldest leave when there are many. */
export class EventLog {
  readonly #clock: Clock;
  readonly #kinds = new Map<string, NumberedEvent[]>();
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
  }

  /** Newest last. */
  recent(limit: number): readonly MeshEvent[] {
    return this.since(0).slice(-limit);
  }

  /** What is kept of all after the event of that number, newest last. */
  since(number: number): readonly NumberedEvent[] {
    return [...this.#kinds.values()]
      .flatMap((ring) => ring.filter((event) => event.number > number))
      .sort((a, b) => a.number - b.number);
  }
}
