import type { Counter } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** The series that one status adds to. */
type Series = readonly [completed: Counter, ofClass: Counter, ofCode: Counter];

/**
 * Counts answers as Envoy does: all of them in `upstream_rq_completed`, by class
 * in `upstream_rq_<n>xx` and by status in `upstream_rq_<nnn>`. A series exists
 * once there is something to count.
 */
export class AnswerCounts {
  readonly #stats: EnvoyStats;
  readonly #scope: string;
  readonly #statName: string;
  readonly #byStatus = new Map<number, Series>();

  /** `scope` is a template that ends in a dot, and names the cluster. */
  constructor(stats: EnvoyStats, scope: string, statName: string) {
    this.#stats = stats;
    this.#scope = scope;
    this.#statName = statName;
  }

  count(status: number): void {
    let series = this.#byStatus.get(status);
    if (!series) {
      series = this.#make(status);
      this.#byStatus.set(status, series);
    }
    series[0].value += 1;
    series[1].value += 1;
    series[2].value += 1;
  }

  #make(status: number): Series {
    const digit = `${Math.min(5, Math.floor(status / 100))}`;
    const counter = (name: string, ...labels: string[]) =>
      this.#stats.counter(this.#scope + name, this.#statName, ...labels);
    return [
      counter("upstream_rq_completed"),
      counter("upstream_rq_{envoy_response_code_class}xx", digit),
      counter("upstream_rq_{envoy_response_code}", `${status}`),
    ];
  }
}
