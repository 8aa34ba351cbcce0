/**
 * How much is being given up now. Read on the request path: while there is no
 * pressure that is one field. Numbers are shares: 0 none, 1 all.
 */
export class OverloadState {
  /** Whether any of the others is above 0. */
  isStressed = false;
  refusedRequests = 0;
  /** Connections that are closed after their answer. */
  endedConnections = 0;
  refusedConnections = 0;
  readonly #random: () => number;

  /** @param random uniform in [0, 1) */
  constructor(random: () => number) {
    this.#random = random;
  }

  refusesRequest(): boolean {
    return this.isStressed && this.#hits(this.refusedRequests);
  }

  endsConnection(): boolean {
    return this.isStressed && this.#hits(this.endedConnections);
  }

  refusesConnection(): boolean {
    return this.isStressed && this.#hits(this.refusedConnections);
  }

  #hits(share: number): boolean {
    return share > 0 && (share >= 1 || this.#random() < share);
  }
}

/** For listeners that are exempt (`bypass_overload_manager`). */
export const neverOverloaded = new OverloadState(() => 0);
