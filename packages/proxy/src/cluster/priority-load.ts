/** The state of one priority level. */
export interface LevelHealth {
  readonly total: number;
  readonly healthy: number;
  readonly degraded: number;
  /** Given where health is counted by endpoint weight; panic always counts endpoints. */
  readonly weights?: { readonly total: number; readonly healthy: number; readonly degraded: number };
}

/** Share of traffic, in percent, a level takes with its healthy and its degraded endpoints. */
export interface LevelLoad {
  readonly healthyPercent: number;
  readonly degradedPercent: number;
  /** All endpoints are used, whatever their health. */
  readonly isPanicking: boolean;
}

/**
 * Shares traffic between priority levels as Envoy does: a level counts as whole
 * while `overprovisioningPercent` × its healthy share is at least 100; what it
 * cannot take goes to the next. When too little is left anywhere, a level whose
 * healthy share is below `panicPercent` uses all its endpoints rather than
 * crush the few that still answer.
 */
export function computePriorityLoads(
  levels: readonly LevelHealth[],
  overprovisioningPercent: number,
  panicPercent: number,
): LevelLoad[] {
  const capacity = (available: number, total: number) =>
    total === 0 ? 0 : Math.min(100, Math.floor((overprovisioningPercent * available) / total));
  const measures = levels.map((level) => level.weights ?? level);
  const healthy = measures.map((measure) => capacity(measure.healthy, measure.total));
  const degraded = measures.map((measure) => capacity(measure.degraded, measure.total));
  const available = Math.min(100, sum(healthy) + sum(degraded));

  if (available === 0) return panicEverywhere(levels, panicPercent);

  const isPanicking = levels.map(
    (level) =>
      available < 100 &&
      panicPercent > 0 &&
      level.total > 0 &&
      (100 * (level.healthy + level.degraded)) / level.total < panicPercent,
  );
  if (levels.every((level, i) => level.total === 0 || isPanicking[i])) {
    return panicEverywhere(levels, panicPercent);
  }

  let remaining = 100;
  const take = (share: number) => {
    const percent = Math.min(remaining, Math.floor((share * 100) / available));
    remaining -= percent;
    return percent;
  };
  const healthyPercent = healthy.map(take);
  const degradedPercent = degraded.map(take);
  // What rounding left over goes to the first level that takes anything.
  const first = healthyPercent.findIndex((percent) => percent > 0);
  if (first >= 0) healthyPercent[first]! += remaining;
  else degradedPercent[degradedPercent.findIndex((percent) => percent > 0)]! += remaining;
  return levels.map((_, i) => ({
    healthyPercent: healthyPercent[i]!,
    degradedPercent: degradedPercent[i]!,
    isPanicking: isPanicking[i]!,
  }));
}

/** Nothing better is left: levels share by their size, or take nothing when panic is switched off. */
function panicEverywhere(levels: readonly LevelHealth[], panicPercent: number): LevelLoad[] {
  const total = sum(levels.map((level) => level.total));
  const shares = levels.map((level) =>
    panicPercent > 0 && total > 0 ? Math.floor((100 * level.total) / total) : 0,
  );
  // Whole percents, as with the other loads; the first level with endpoints takes the rest.
  const first = shares.findIndex((_, i) => levels[i]!.total > 0);
  if (panicPercent > 0 && first >= 0) shares[first]! += 100 - sum(shares);
  return shares.map((healthyPercent) => ({
    healthyPercent,
    degradedPercent: 0,
    isPanicking: panicPercent > 0,
  }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
