import type { LocalityEndpoints } from "@weft/proxy/cluster/cluster-plan";

/** Which places are called, in which order or to which share; undefined where all endpoints are alike. */
export function describeLocalities(
  localities: readonly LocalityEndpoints[],
  isWeighted: boolean,
): string | undefined {
  const byPriority = [...Map.groupBy(localities, ({ priority }) => priority)].sort(([a], [b]) => a - b);
  if (byPriority.length > 1) {
    return byPriority
      .map(([, group], i) => `${i === 0 ? "first" : "then"} ${group.map(placeText).join(" and ")}`)
      .join(", ");
  }
  if (!isWeighted || localities.length < 2) return undefined;
  const total = localities.reduce((sum, { weight }) => sum + weight, 0);
  return localities
    .map((own) => `${Math.round((own.weight / total) * 1000) / 10} % ${placeText(own)}`)
    .join(", ");
}

function placeText({ region, zone, subZone, endpoints }: LocalityEndpoints): string {
  const place = [region, zone, subZone].filter((part) => part !== "").join("/");
  return `${endpoints.length} in ${place || "no place"}`;
}
