import type { Saturation } from "../api/protocol.ts";
import type { SeriesWindow } from "./metric-history.ts";
import { keptMetrics } from "./sample.ts";

/** How full one workload's data plane says it is. */
export function saturationOf(series: readonly SeriesWindow[]): Saturation {
  const found = new Map<string, number>();
  for (const { sample } of series) found.set(sample.metric, sample.value);
  return {
    loopUtilization: found.get(keptMetrics.loopUtilization),
    loopLagP99Ms: found.get(keptMetrics.loopLagP99),
    memoryBytes: found.get(keptMetrics.memory),
    connections: found.get(keptMetrics.downstreamConnections),
    pending: found.get(keptMetrics.pendingRequests),
    openBreakers: [
      keptMetrics.openConnectionBreakers,
      keptMetrics.openPendingBreakers,
      keptMetrics.openRequestBreakers,
    ]
      .map((metric) => found.get(metric))
      .reduce((all, one) => defined(all, one, sum)),
    openFiles: found.get(keptMetrics.openFiles),
  };
}

/** Of several data planes: the busiest loop, and the sum of what they hold. */
export function addSaturation(a: Saturation, b: Saturation): Saturation {
  return {
    loopUtilization: defined(a.loopUtilization, b.loopUtilization, Math.max),
    loopLagP99Ms: defined(a.loopLagP99Ms, b.loopLagP99Ms, Math.max),
    memoryBytes: defined(a.memoryBytes, b.memoryBytes, sum),
    connections: defined(a.connections, b.connections, sum),
    pending: defined(a.pending, b.pending, sum),
    openBreakers: defined(a.openBreakers, b.openBreakers, sum),
    openFiles: defined(a.openFiles, b.openFiles, sum),
  };
}

function defined(
  a: number | undefined,
  b: number | undefined,
  join: (a: number, b: number) => number,
): number | undefined {
  return a === undefined ? b : b === undefined ? a : join(a, b);
}

function sum(a: number, b: number): number {
  return a + b;
}
