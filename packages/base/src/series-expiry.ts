import type { Clock } from "./clock.ts";
import { Histogram, type MetricFamily, type MetricRegistry, type Series } from "./metric-registry.ts";

/** As long as people look back on a quiet caller. */
export const usualSeriesIdleMs = 3_600_000;

interface Seen {
  total: number;
  changedMs: number;
}

export interface SeriesExpiryOptions {
  readonly registry: MetricRegistry;
  readonly clock: Clock;
  /** Series that have not changed for so long are forgotten; to Prometheus one that comes back has begun anew. */
  readonly idleMs: number;
  /** Which series may go; whoever keeps one of theirs looks at `registry.generation`. */
  isExpiring(family: MetricFamily): boolean;
}

/** Forgets idle series from time to time, off the path of whoever counts. */
export function startSeriesExpiry(options: SeriesExpiryOptions): { close(): void } {
  const { registry, clock, idleMs, isExpiring } = options;
  const seen = new WeakMap<Series, Seen>();
  const everyMs = Math.max(1_000, idleMs / 4);
  let timer = clock.setTimer(sweep, everyMs);
  function sweep(): void {
    const nowMs = clock.monotonicMs();
    let isAnyGone = false;
    for (const family of registry.families) {
      if (!isExpiring(family)) continue;
      for (const series of [...family.series]) {
        if (!isIdle(series, nowMs)) continue;
        family.removeSeries(series);
        isAnyGone = true;
      }
    }
    if (isAnyGone) registry.generation += 1;
    timer = clock.setTimer(sweep, everyMs);
  }
  function isIdle(series: Series, nowMs: number): boolean {
    const { metric } = series;
    const total = metric instanceof Histogram ? metric.count : metric.value;
    const before = seen.get(series);
    if (before?.total === total) return nowMs - before.changedMs >= idleMs;
    seen.set(series, { total, changedMs: nowMs });
    return false;
  }
  return { close: () => timer.cancel() };
}
