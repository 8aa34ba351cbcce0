import { levelsOf, measureLevel } from "./level-health.ts";
import { computePriorityLoads } from "./priority-load.ts";
import type { UpstreamCluster } from "./upstream-cluster.ts";

const defaultPanicPercent = 50;
const defaultOverprovisioningPercent = 140;
/** Aggregates of aggregates deeper than this are not followed. */
const maxDepth = 4;

interface Share {
  readonly cluster: UpstreamCluster;
  /** Upper end of the share, cumulative, in percent. */
  readonly upTo: number;
}

/**
 * Chooses one of the clusters of an aggregate, as if the priorities of all of
 * them followed each other: a later cluster takes what the healthy endpoints of
 * the earlier ones cannot. Everything else of a request is the chosen
 * cluster's own: timeouts, breakers, connections and statistics.
 *
 * @see envoy.extensions.clusters.aggregate.v3.ClusterConfig
 */
export class AggregateChooser {
  readonly #aggregate: UpstreamCluster;
  readonly #get: (name: string) => UpstreamCluster | undefined;
  readonly #random: () => number;
  /** What `#shares` was computed for. */
  #names: readonly string[] = [];
  #clusters: readonly (UpstreamCluster | undefined)[] = [];
  #generations: readonly number[] = [];
  #shares: readonly Share[] = [];

  constructor(
    aggregate: UpstreamCluster,
    get: (name: string) => UpstreamCluster | undefined,
    random: () => number,
  ) {
    this.#aggregate = aggregate;
    this.#get = get;
    this.#random = random;
  }

  /** Undefined when none of its clusters has an endpoint. */
  choose(): UpstreamCluster | undefined {
    if (!this.#isCurrent()) this.#compute();
    const shares = this.#shares;
    if (shares.length < 2) return shares[0]?.cluster;
    const point = this.#random() * shares[shares.length - 1]!.upTo;
    let at = 0;
    while (point >= shares[at]!.upTo) at += 1;
    return shares[at]!.cluster;
  }

  #isCurrent(): boolean {
    const names = this.#names;
    if (names.length === 0) return false;
    for (let i = 0; i < names.length; i++) {
      const cluster = this.#get(names[i]!);
      if (cluster !== this.#clusters[i] || (cluster?.generation ?? 0) !== this.#generations[i]) return false;
    }
    return true;
  }

  #compute(): void {
    const names = [...flatten(this.#aggregate, this.#get, 0)];
    this.#names = names;
    this.#clusters = names.map((name) => this.#get(name));
    this.#generations = this.#clusters.map((cluster) => cluster?.generation ?? 0);
    const levels = this.#clusters.flatMap((cluster) =>
      levelsOf(cluster?.groups ?? []).map((groups) => ({ cluster, health: measureLevel(groups, false) })),
    );
    const loads = computePriorityLoads(
      levels.map(({ health }) => health),
      defaultOverprovisioningPercent,
      this.#aggregate.plan.panicThresholdPercent ?? defaultPanicPercent,
    );
    const shares: Share[] = [];
    let upTo = 0;
    for (const cluster of this.#clusters) {
      const percent = loads.reduce(
        (sum, load, i) =>
          levels[i]!.cluster === cluster ? sum + load.healthyPercent + load.degradedPercent : sum,
        0,
      );
      if (!cluster || percent === 0) continue;
      upTo += percent;
      shares.push({ cluster, upTo });
    }
    this.#shares = shares;
  }
}

/** The names of an aggregate's clusters in order, each once; aggregates among them count by theirs. */
function* flatten(
  { plan }: UpstreamCluster,
  get: (name: string) => UpstreamCluster | undefined,
  depth: number,
  seen = new Set<string>(),
): Generator<string> {
  if (plan.discovery.kind !== "aggregate" || depth > maxDepth) return;
  for (const name of plan.discovery.clusters) {
    if (seen.has(name)) continue;
    seen.add(name);
    const cluster = get(name);
    if (cluster?.plan.discovery.kind === "aggregate") yield* flatten(cluster, get, depth + 1, seen);
    else yield name;
  }
}
