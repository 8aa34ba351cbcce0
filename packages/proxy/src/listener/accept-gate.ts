import type { ListenSocket } from "../net/listen-socket.ts";

/** Why connections wait: overload, or too few descriptors. */
export type PauseReason = "overload" | "descriptors";

/** Lets the connections of all listeners in, or leaves them waiting while there is any reason to. */
export class AcceptGate {
  readonly #reasons = new Set<PauseReason>();
  readonly #sockets: () => Iterable<ListenSocket>;

  constructor(sockets: () => Iterable<ListenSocket>) {
    this.#sockets = sockets;
  }

  set(reason: PauseReason, isPaused: boolean): void {
    if (isPaused) this.#reasons.add(reason);
    else this.#reasons.delete(reason);
    for (const socket of this.#sockets()) this.admit(socket);
  }

  /** Brings one socket in line, as one that was bound meanwhile. */
  admit(socket: ListenSocket): void {
    if (this.#reasons.size > 0) socket.pause();
    else socket.resume();
  }
}
