import type { Counter } from "@weft/base/metric-registry";
import type { Hash64 } from "../hash/hash64.ts";
import { createHostPicker } from "./create-host-picker.ts";
import type { HostPicker } from "./host-picker.ts";
import type { LoadBalancerOptions } from "./load-balancer-options.ts";
import { isSameLocality, type LocalityGroup } from "./locality-group.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";
import type { ZoneAwareness } from "./zone-routing.ts";
import { type LocalityCount, routeByZone, type ZoneRouting } from "./zone-routing.ts";

/** Undefined where zones do not count: too few of them or of endpoints, or a local cluster that is not in order. */
export function createZoneAwarePicker(
  level: readonly LocalityGroup[],
  usable: readonly LocalityGroup[],
  zones: ZoneAwareness,
  options: LoadBalancerOptions,
): HostPicker | undefined {
  const { plan, own, counter } = zones;
  counter("lb_recalculate_zone_structures").add();
  const local = zones.local()?.filter(({ priority }) => priority === 0) ?? [];
  if (level.length < 2 || (local.length < 2 && !plan.forcesLocal)) return undefined;
  if (!local.some(({ locality, hosts }) => hosts.length > 0 && isSameLocality(locality, own))) {
    counter("lb_local_cluster_not_ok").add();
    return undefined;
  }
  const healthy = usable.reduce((sum, { hosts }) => sum + hosts.length, 0);
  if (healthy < plan.minClusterSize) {
    counter("lb_zone_cluster_too_small").add();
    return undefined;
  }
  if (healthyPercent(local) < zones.localPanicPercent()) {
    counter("lb_local_cluster_not_ok").add();
    return undefined;
  }
  const counts = usable.map(({ locality, hosts }) => ({ locality, healthy: hosts.length }));
  const routing = routeByZone(own, local.map(countHealthy), counts, plan.forcesLocal);
  return new ZoneAwarePicker(usable, routing, zones, options);
}

class ZoneAwarePicker implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly #routing: ZoneRouting;
  readonly #pickers: readonly HostPicker[];
  readonly #own: HostPicker | undefined;
  readonly #anywhere: HostPicker;
  readonly #routed: number;
  readonly #random: () => number;
  readonly #counters: Readonly<Record<"direct" | "sampled" | "cross" | "full", Counter>>;

  constructor(
    groups: readonly LocalityGroup[],
    routing: ZoneRouting,
    { plan, own, counter }: ZoneAwareness,
    options: LoadBalancerOptions,
  ) {
    this.hosts = groups.flatMap(({ hosts }) => hosts);
    this.#routing = routing;
    this.#pickers = groups.map(({ hosts }) => createHostPicker(hosts, options));
    this.#own = this.#pickers[groups.findIndex(({ locality }) => isSameLocality(locality, own))];
    this.#anywhere = createHostPicker(this.hosts, options);
    this.#routed = plan.routingPercent / 100;
    this.#random = options.random;
    this.#counters = {
      direct: counter("lb_zone_routing_all_directly"),
      sampled: counter("lb_zone_routing_sampled"),
      cross: counter("lb_zone_routing_cross_zone"),
      full: counter("lb_zone_no_capacity_left"),
    };
  }

  pick(hash: Hash64 | undefined, attempt: number): UpstreamEndpoint {
    return this.#choose().pick(hash, attempt);
  }

  #choose(): HostPicker {
    if (this.#routed < 1 && this.#random() >= this.#routed) return this.#anywhere;
    const routing = this.#routing;
    if (routing.kind === "direct") {
      this.#counters.direct.value += 1;
      return this.#own!;
    }
    if (this.#own && this.#random() < routing.localShare) {
      this.#counters.sampled.value += 1;
      return this.#own;
    }
    this.#counters.cross.value += 1;
    const { residual } = routing;
    const sum = residual[residual.length - 1]!;
    if (sum === 0) {
      // Rounding can leave nothing to share by.
      this.#counters.full.value += 1;
      return this.#pickers[Math.floor(this.#random() * this.#pickers.length)]!;
    }
    const point = this.#random() * sum;
    let at = 0;
    while (point >= residual[at]!) at += 1;
    return this.#pickers[at]!;
  }
}

function countHealthy({ locality, hosts }: LocalityGroup): LocalityCount {
  return { locality, healthy: hosts.filter(({ health }) => health === "healthy").length };
}

function healthyPercent(groups: readonly LocalityGroup[]): number {
  const all = groups.flatMap(({ hosts }) => hosts);
  return (100 * all.filter(({ health }) => health !== "unhealthy").length) / Math.max(1, all.length);
}
