import type { Clock, Timer } from "@weft/base/clock";

/** Asks for resources when they are first needed: clusters, or virtual hosts. */
export interface ResourceDiscovery {
  /**
   * Asks a source for a resource and says once whether it is in force: when it
   * is, when the source has said that there is none, or when the time is over.
   * The answer may come before this returns, and does not come once cancelled.
   *
   * @param source as `ChosenSource.source` names it
   */
  discover(
    source: string,
    name: string,
    timeoutMs: number,
    onAnswer: (outcome: DiscoveryOutcome) => void,
  ): Discovery;
}

export type DiscoveryOutcome = "found" | "missing" | "timeout";

/** Someone who waits. */
export interface Discovery {
  cancel(): void;
}

export interface OnDemandResourcesOptions {
  readonly clock: Clock;
  isInForce(name: string): boolean;
  /** Another resource is wanted than before: it is subscribed to from here on. */
  onWanted(source: string, name: string): void;
}

interface Waiting {
  readonly timer: Timer;
  readonly onAnswer: (outcome: DiscoveryOutcome) => void;
}

/** Names come with requests, and each is subscribed to: no more than so many. */
const maxNames = 10_000;
/** Each who waits holds a request or a connection. */
const maxWaiting = 10_000;

const answered: Discovery = { cancel() {} };

/**
 * The resources of one type that requests and connections have asked for by
 * name, beside those that the source gives by itself. As in Envoy what was
 * asked for once stays subscribed to, so that it is kept up to date; where there
 * would be too many, the one that is longest known not to exist is let go.
 */
export class OnDemandResources implements ResourceDiscovery {
  readonly #options: OnDemandResourcesOptions;
  readonly #bySource = new Map<string, Set<string>>();
  readonly #waiting = new Map<string, Set<Waiting>>();
  /** Asked for, and not there: the source says by itself when that changes. The oldest first. */
  readonly #missing = new Set<string>();
  #count = 0;
  #waitingCount = 0;
  #revision = 0;

  constructor(options: OnDemandResourcesOptions) {
    this.#options = options;
  }

  /** What is to be subscribed to, by source. */
  get wanted(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#bySource;
  }

  /** Another one whenever `wanted` is. */
  get revision(): number {
    return this.#revision;
  }

  discover(
    source: string,
    name: string,
    timeoutMs: number,
    onAnswer: (outcome: DiscoveryOutcome) => void,
  ): Discovery {
    const { clock, isInForce } = this.#options;
    if (isInForce(name)) {
      onAnswer("found");
      return answered;
    }
    if (this.#missing.has(name) || !this.want(source, name)) {
      onAnswer("missing");
      return answered;
    }
    if (this.#waitingCount >= maxWaiting) {
      onAnswer("timeout");
      return answered;
    }
    const all = this.#waiting.get(name) ?? new Set<Waiting>();
    this.#waiting.set(name, all);
    const timer = clock.setTimer(() => {
      this.#leave(name, waiting);
      onAnswer("timeout");
    }, timeoutMs);
    const waiting: Waiting = { timer, onAnswer };
    all.add(waiting);
    this.#waitingCount += 1;
    return {
      cancel: () => {
        timer.cancel();
        this.#leave(name, waiting);
      },
    };
  }

  /** Subscribes to a resource; false where there are too many already. */
  want(source: string, name: string): boolean {
    const names = this.#bySource.get(source) ?? new Set<string>();
    if (names.has(name)) return true;
    if (this.#count >= maxNames && !this.#letGoOfOne()) return false;
    this.#count += 1;
    this.#revision += 1;
    this.#bySource.set(source, names.add(name));
    this.#options.onWanted(source, name);
    return true;
  }

  /** Resources may have come into force. */
  check(): void {
    for (const name of this.#missing) {
      if (this.#options.isInForce(name)) this.#missing.delete(name);
    }
    for (const name of [...this.#waiting.keys()]) {
      if (this.#options.isInForce(name)) this.#answer(name, "found");
    }
  }

  /** The source has said that it does not have these. */
  missing(names: readonly string[]): void {
    for (const name of names) {
      for (const wanted of this.#bySource.values()) if (wanted.has(name)) this.#missing.add(name);
      this.#answer(name, "missing");
    }
  }

  close(): void {
    for (const all of this.#waiting.values()) for (const { timer } of all) timer.cancel();
    this.#waiting.clear();
  }

  /** False where all that is asked for is there, or awaited. */
  #letGoOfOne(): boolean {
    const [oldest] = this.#missing;
    if (oldest === undefined) return false;
    this.#missing.delete(oldest);
    for (const names of this.#bySource.values()) if (names.delete(oldest)) this.#count -= 1;
    return true;
  }

  #answer(name: string, outcome: DiscoveryOutcome): void {
    const all = this.#waiting.get(name);
    if (!all) return;
    this.#waiting.delete(name);
    this.#waitingCount -= all.size;
    for (const { timer, onAnswer } of all) {
      timer.cancel();
      onAnswer(outcome);
    }
  }

  #leave(name: string, waiting: Waiting): void {
    const all = this.#waiting.get(name);
    if (!all?.delete(waiting)) return;
    this.#waitingCount -= 1;
    if (all.size === 0) this.#waiting.delete(name);
  }
}
