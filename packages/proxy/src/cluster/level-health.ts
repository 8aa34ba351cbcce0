import type { LocalityGroup } from "./locality-group.ts";
import type { LevelHealth } from "./priority-load.ts";

/** The localities of each priority; one that is left out is empty. */
export function levelsOf(groups: readonly LocalityGroup[]): LocalityGroup[][] {
  const levels: LocalityGroup[][] = [];
  for (const group of groups) {
    while (levels.length <= group.priority) levels.push([]);
    levels[group.priority]!.push(group);
  }
  return levels;
}

/** Counts a priority's endpoints, and with `isWeighted` their weights too. */
export function measureLevel(level: readonly LocalityGroup[], isWeighted: boolean): LevelHealth {
  const counts = { total: 0, healthy: 0, degraded: 0 };
  const weights = { total: 0, healthy: 0, degraded: 0 };
  for (const { hosts } of level) {
    for (const { health, weight, isExcluded } of hosts) {
      if (isExcluded) continue;
      counts.total += 1;
      weights.total += weight;
      if (health === "unhealthy") continue;
      counts[health] += 1;
      weights[health] += weight;
    }
  }
  return isWeighted ? { ...counts, weights } : counts;
}
