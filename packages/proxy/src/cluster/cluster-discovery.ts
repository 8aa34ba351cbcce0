import type { Clock, Timer } from "@weft/base/clock";

/** Asks for clusters when they are first needed. */
export interface ClusterDiscovery {
  /**
   * Asks a source for a cluster and says once whether it is in force: when it
   * is, when the source has said that there is none, or when the time is over.
   * The answer may come before this returns, and does not come once cancelled.
   *
   * @param source as `ChosenSource.source` names it
   */
  discover(
    source: string,
    cluster: string,
    timeoutMs: number,
    onAnswer: (outcome: DiscoveryOutcome) => void,
  ): Discovery;
}

export type DiscoveryOutcome = "found" | "missing" | "timeout";

/** Someone who waits. */
export interface Discovery {
  cancel(): void;
}

export interface OnDemandClustersOptions {
  readonly clock: Clock;
  isInForce(cluster: string): boolean;
  /** A cluster is wanted that was not before; it is subscribed to from here on. */
  onWanted(source: string, cluster: string): void;
}

interface Waiting {
  readonly timer: Timer;
  readonly onAnswer: (outcome: DiscoveryOutcome) => void;
}

/** Names come with requests, and each is subscribed to for good: no more than so many. */
const maxClusters = 10_000;

const answered: Discovery = { cancel() {} };

/**
 * The clusters that requests and connections have asked for by name, beside
 * those that the source gives by itself. As in Envoy what was asked for once
 * stays subscribed to, so that it is kept up to date.
 */
export class OnDemandClusters implements ClusterDiscovery {
  readonly #options: OnDemandClustersOptions;
  readonly #bySource = new Map<string, Set<string>>();
  readonly #waiting = new Map<string, Set<Waiting>>();
  /** Asked for, and not there: the source says by itself when that changes. */
  readonly #missing = new Set<string>();
  #count = 0;

  constructor(options: OnDemandClustersOptions) {
    this.#options = options;
  }

  /** What is to be subscribed to, by source. */
  get wanted(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#bySource;
  }

  discover(
    source: string,
    cluster: string,
    timeoutMs: number,
    onAnswer: (outcome: DiscoveryOutcome) => void,
  ): Discovery {
    const { clock, isInForce } = this.#options;
    if (isInForce(cluster)) {
      onAnswer("found");
      return answered;
    }
    if (this.#missing.has(cluster) || !this.want(source, cluster)) {
      onAnswer("missing");
      return answered;
    }
    const all = this.#waiting.get(cluster) ?? new Set<Waiting>();
    this.#waiting.set(cluster, all);
    const timer = clock.setTimer(() => {
      this.#leave(cluster, waiting);
      onAnswer("timeout");
    }, timeoutMs);
    const waiting: Waiting = { timer, onAnswer };
    all.add(waiting);
    return {
      cancel: () => {
        timer.cancel();
        this.#leave(cluster, waiting);
      },
    };
  }

  /** Subscribes to a cluster; false where there are too many already. */
  want(source: string, cluster: string): boolean {
    const names = this.#bySource.get(source) ?? new Set<string>();
    if (names.has(cluster)) return true;
    if (this.#count >= maxClusters) return false;
    this.#count += 1;
    this.#bySource.set(source, names.add(cluster));
    this.#options.onWanted(source, cluster);
    return true;
  }

  /** Clusters may have come into force. */
  check(): void {
    for (const cluster of this.#missing) {
      if (this.#options.isInForce(cluster)) this.#missing.delete(cluster);
    }
    for (const cluster of [...this.#waiting.keys()]) {
      if (this.#options.isInForce(cluster)) this.#answer(cluster, "found");
    }
  }

  /** The source has said that it does not have these. */
  missing(clusters: readonly string[]): void {
    for (const cluster of clusters) {
      for (const names of this.#bySource.values()) if (names.has(cluster)) this.#missing.add(cluster);
      this.#answer(cluster, "missing");
    }
  }

  close(): void {
    for (const all of this.#waiting.values()) for (const { timer } of all) timer.cancel();
    this.#waiting.clear();
  }

  #answer(cluster: string, outcome: DiscoveryOutcome): void {
    const all = this.#waiting.get(cluster);
    if (!all) return;
    this.#waiting.delete(cluster);
    for (const { timer, onAnswer } of all) {
      timer.cancel();
      onAnswer(outcome);
    }
  }

  #leave(cluster: string, waiting: Waiting): void {
    const all = this.#waiting.get(cluster);
    all?.delete(waiting);
    if (all?.size === 0) this.#waiting.delete(cluster);
  }
}
