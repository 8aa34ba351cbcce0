import type { Histogram } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { AnswerCounts } from "./answer-counts.ts";

/**
 * Counts a cluster's answers, and once more apart by who asked: clients
 * (Envoy's `external.*`), or the proxy for itself (`internal.*`: callouts and
 * copies of requests). No client is internal here: what it says of itself with
 * `x-envoy-internal` is not believed.
 */
export class AnswersByOrigin {
  readonly #stats: EnvoyStats;
  readonly #scope: string;
  readonly #statName: string;
  readonly #all: AnswerCounts;
  #external: AnswerCounts | undefined = undefined;
  #internal: AnswerCounts | undefined = undefined;
  #externalTimeMs: Histogram | undefined = undefined;
  #internalTimeMs: Histogram | undefined = undefined;

  /** `scope` is a template that ends in a dot, and names the cluster. */
  constructor(stats: EnvoyStats, scope: string, statName: string) {
    this.#stats = stats;
    this.#scope = scope;
    this.#statName = statName;
    this.#all = new AnswerCounts(stats, scope, statName);
  }

  countExternal(status: number): void {
    this.#all.count(status);
    this.#external ??= this.#of("external");
    this.#external.count(status);
  }

  countInternal(status: number): void {
    this.#all.count(status);
    this.#internal ??= this.#of("internal");
    this.#internal.count(status);
  }

  /** How long the attempt took that was made for a client. */
  observeExternal(timeMs: number): void {
    this.#externalTimeMs ??= this.#time("external");
    this.#externalTimeMs.observe(timeMs);
  }

  /** The same of one for the proxy itself. */
  observeInternal(timeMs: number): void {
    this.#internalTimeMs ??= this.#time("internal");
    this.#internalTimeMs.observe(timeMs);
  }

  #of(origin: string): AnswerCounts {
    return new AnswerCounts(this.#stats, `${this.#scope}${origin}.`, this.#statName);
  }

  #time(origin: string): Histogram {
    return this.#stats.histogram(`${this.#scope}${origin}.upstream_rq_time`, this.#statName);
  }
}
