import type { PeakEwmaPlan } from "./balancer-plan.ts";
import type { HostPicker } from "./host-picker.ts";
import { LatencyEstimate } from "./latency-estimate.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/**
 * Of two endpoints chosen at random the one whose expected latency times the
 * requests it would then have is lower: Linkerd's balancer. Weights do not count.
 */
export class PeakEwmaPicker implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly #random: () => number;
  readonly #nowMs: () => number;

  constructor(
    hosts: readonly UpstreamEndpoint[],
    plan: PeakEwmaPlan,
    random: () => number,
    nowMs: () => number,
  ) {
    this.hosts = hosts;
    this.#random = random;
    this.#nowMs = nowMs;
    for (const host of hosts) host.latency ??= new LatencyEstimate(plan, nowMs());
  }

  pick(): UpstreamEndpoint {
    const { hosts } = this;
    const first = hosts[Math.floor(this.#random() * hosts.length)]!;
    if (hosts.length === 1) return first;
    // The other one is another one.
    let second = hosts[Math.floor(this.#random() * (hosts.length - 1))]!;
    if (second === first) second = hosts[hosts.length - 1]!;
    const nowMs = this.#nowMs();
    return costOf(second, nowMs) < costOf(first, nowMs) ? second : first;
  }
}

function costOf(host: UpstreamEndpoint, nowMs: number): number {
  return host.latency!.read(nowMs) * (host.activeRequests + 1);
}
