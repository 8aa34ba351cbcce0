import type { Clock } from "@weft/base/clock";
import type { MeshEvent } from "../api/protocol.ts";

const capacity = 1_000;
const maxMessageLength = 1_000;

/** The last things that happened in the mesh, in memory: the oldest leave when it is full. */
export class EventLog {
  readonly #clock: Clock;
  readonly #events: MeshEvent[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(kind: string, message: string): void {
    this.#events.push({ atMs: this.#clock.now(), kind, message: message.slice(0, maxMessageLength) });
    if (this.#events.length > capacity) this.#events.shift();
  }

  /** Newest last. */
  recent(limit: number): readonly MeshEvent[] {
    return this.#events.slice(-limit);
  }
}
