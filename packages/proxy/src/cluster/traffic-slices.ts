import { choosesByHash } from "./balancer-plan.ts";
import { createHashPicker, createHostPicker } from "./create-host-picker.ts";
import type { HostPicker } from "./host-picker.ts";
import { levelsOf, measureLevel } from "./level-health.ts";
import type { LoadBalancerOptions } from "./load-balancer-options.ts";
import { compareLocalities, type LocalityGroup } from "./locality-group.ts";
import { LocalityPicker } from "./locality-picker.ts";
import { computePriorityLoads } from "./priority-load.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";
import { weighHosts } from "./weighted-hosts.ts";
import { createZoneAwarePicker } from "./zone-aware-picker.ts";

/** A share of the traffic and who takes it. */
export interface Slice {
  /** Upper end of the share, cumulative, in percent. */
  readonly upTo: number;
  readonly isPanicking: boolean;
  /** Undefined where a panic is to fail. */
  readonly picker: HostPicker | undefined;
}

/** Divides traffic among priorities and, within each, between healthy and degraded endpoints. */
export function buildSlices(groups: readonly LocalityGroup[], options: LoadBalancerOptions): Slice[] {
  const levels = levelsOf(groups);
  const loads = computePriorityLoads(
    levels.map((level) => measureLevel(level, options.weighsPriorityHealth)),
    options.overprovisioningPercent,
    options.panicPercent,
  );
  const slices: Slice[] = [];
  let upTo = 0;
  const add = (percent: number, at: number, health: "healthy" | "degraded") => {
    if (percent <= 0) return;
    const { isPanicking } = loads[at]!;
    const fails = isPanicking && options.zones?.plan.failsOnPanic === true;
    const picker = fails ? undefined : buildPicker(levels[at]!, health, isPanicking, options);
    if (!picker && !fails) return;
    upTo += percent;
    slices.push({ upTo, isPanicking, picker });
  };
  loads.forEach(({ healthyPercent }, i) => {
    add(healthyPercent, i, "healthy");
  });
  loads.forEach(({ degradedPercent }, i) => {
    add(degradedPercent, i, "degraded");
  });
  return slices;
}

function buildPicker(
  level: readonly LocalityGroup[],
  health: "healthy" | "degraded",
  isPanicking: boolean,
  options: LoadBalancerOptions,
): HostPicker | undefined {
  const { balancer, isLocalityWeighted } = options;
  const only = (wanted: "healthy" | "degraded") =>
    narrow(level, (host) => isPanicking || host.health === wanted);
  if (choosesByHash(balancer)) {
    // A key stays where it is however traffic is divided by health: degraded endpoints serve only where no other is left.
    let usable = only("healthy");
    if (usable.length === 0) usable = only("degraded");
    if (isLocalityWeighted) usable.sort((a, b) => compareLocalities(a.locality, b.locality));
    const weighted = weighHosts(usable, isLocalityWeighted);
    return weighted.hosts.length === 0 ? undefined : createHashPicker(weighted, balancer, options);
  }
  const usable = only(health);
  if (usable.length === 0) return undefined;
  const weighted = usable.filter(({ weight }) => weight > 0);
  if (!isLocalityWeighted || weighted.length === 0) {
    // Only the first priority is routed by zone, and only while it has what it needs.
    const isByZone = !isLocalityWeighted && !isPanicking && health === "healthy" && level[0]!.priority === 0;
    const byZone =
      isByZone && options.zones ? createZoneAwarePicker(level, usable, options.zones, options) : undefined;
    if (byZone) return byZone;
    return createHostPicker(
      usable.flatMap(({ hosts }) => hosts),
      options,
    );
  }
  const sizes = new Map(level.map((group) => [group.locality, group.hosts.length]));
  const weights = weighted.map(({ locality, weight, hosts }) => {
    const share = (options.overprovisioningPercent / 100) * (hosts.length / sizes.get(locality)!);
    return weight * Math.min(1, share);
  });
  return new LocalityPicker(
    weighted.map(({ hosts }) => createHostPicker(hosts, options)),
    weights,
  );
}

/** Localities with some endpoint for which `isUsable`, with only those. */
function narrow(
  groups: readonly LocalityGroup[],
  isUsable: (host: UpstreamEndpoint) => boolean,
): LocalityGroup[] {
  return groups
    .map((group) => ({ ...group, hosts: group.hosts.filter(isUsable) }))
    .filter(({ hosts }) => hosts.length > 0);
}
