import type { BalancerPlan, MaglevPlan, RingHashPlan, SlowStartPlan } from "./balancer-plan.ts";
import { BoundedLoadPicker } from "./bounded-load-picker.ts";
import { HashRing } from "./hash-ring.ts";
import {
  FullScanPicker,
  type HostPicker,
  LeastRequestPicker,
  RandomPicker,
  RotatingPicker,
} from "./host-picker.ts";
import type { LoadBalancerOptions } from "./load-balancer-options.ts";
import { MaglevTable } from "./maglev-table.ts";
import { PeakEwmaPicker } from "./peak-ewma.ts";
import { ScheduledPicker } from "./scheduled-picker.ts";
import { slowStartFactor } from "./slow-start.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";
import type { WeightedHosts } from "./weighted-hosts.ts";

/** The picker for balancers that see one list of endpoints at a time. `hosts` is not empty. */
export function createHostPicker(
  hosts: readonly UpstreamEndpoint[],
  options: LoadBalancerOptions,
): HostPicker {
  const { random, balancer } = options;
  const slowStart = slowStartOf(balancer);
  const isWeighted =
    hosts.some((host) => host.weight !== hosts[0]!.weight) ||
    (slowStart !== undefined && isAnySlow(hosts, slowStart, options));
  switch (balancer.kind) {
    case "round-robin":
    case "cluster-provided":
      return isWeighted
        ? new ScheduledPicker(
            hosts,
            random,
            weigher((host) => host.weight, slowStart, options),
          )
        : new RotatingPicker(hosts, random);
    case "least-request": {
      if (balancer.choiceCount === 0) return new FullScanPicker(hosts, random);
      if (!isWeighted) return new LeastRequestPicker(hosts, random, balancer.choiceCount);
      const byLoad = loadWeigher(balancer.activeRequestBias ?? 1);
      return new ScheduledPicker(hosts, random, weigher(byLoad, slowStart, options));
    }
    case "random":
      return new RandomPicker(hosts, random);
    case "peak-ewma":
      return new PeakEwmaPicker(hosts, balancer, random, options.nowMs);
    case "ring-hash":
    case "maglev":
      throw new Error("a hashing balancer sees all localities at once");
  }
}

/** The picker for balancers that choose by hash among all endpoints of a priority. */
export function createHashPicker(
  weighted: WeightedHosts,
  plan: RingHashPlan | MaglevPlan,
  { gauge, activeRequests }: LoadBalancerOptions,
): HostPicker {
  let hashing: HostPicker;
  if (plan.kind === "ring-hash") {
    const ring = new HashRing(weighted, plan);
    gauge("ring_hash_lb.size").set(ring.size);
    gauge("ring_hash_lb.min_hashes_per_host").set(ring.minHashesPerHost);
    gauge("ring_hash_lb.max_hashes_per_host").set(ring.maxHashesPerHost);
    hashing = ring;
  } else {
    const table = new MaglevTable(weighted, plan);
    gauge("maglev_lb.min_entries_per_host").set(table.minEntriesPerHost);
    gauge("maglev_lb.max_entries_per_host").set(table.maxEntriesPerHost);
    hashing = table;
  }
  if (plan.balancePercent === 0) return hashing;
  return new BoundedLoadPicker(hashing, weighted, plan.balancePercent, activeRequests);
}

type Weigher = (host: UpstreamEndpoint) => number;

function loadWeigher(bias: number): Weigher {
  if (bias === 0) return (host) => host.weight;
  if (bias === 1) return (host) => host.weight / (host.activeRequests + 1);
  return (host) => host.weight / (host.activeRequests + 1) ** bias;
}

function weigher(
  weightOf: Weigher,
  slowStart: SlowStartPlan | undefined,
  { nowMs }: LoadBalancerOptions,
): Weigher {
  if (!slowStart) return weightOf;
  return (host) => weightOf(host) * slowStartFactor(slowStart, host.healthySinceMs, nowMs());
}

function slowStartOf(plan: BalancerPlan): SlowStartPlan | undefined {
  return plan.kind === "round-robin" || plan.kind === "least-request" ? plan.slowStart : undefined;
}

function isAnySlow(
  hosts: readonly UpstreamEndpoint[],
  { windowMs }: SlowStartPlan,
  { nowMs }: LoadBalancerOptions,
): boolean {
  const now = nowMs();
  return hosts.some(({ healthySinceMs }) => healthySinceMs !== undefined && now - healthySinceMs <= windowMs);
}
