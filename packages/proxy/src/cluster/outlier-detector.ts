import type { Clock, Timer } from "@weft/base/clock";
import type { Counter, Gauge } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { AttemptOutcome } from "./cluster.ts";
import type { OutlierPlan } from "./cluster-plan.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** Envoy's `cluster.<name>.outlier_detection.*`. */
export interface OutlierStats {
  readonly active: Gauge;
  readonly enforcedTotal: Counter;
  readonly overflow: Counter;
  readonly detected: Readonly<Record<Cause, Counter>>;
  readonly enforced: Readonly<Record<Cause, Counter>>;
}

type Cause = "consecutive_5xx" | "consecutive_gateway_failure" | "consecutive_local_origin_failure";
const causes: readonly Cause[] = [
  "consecutive_5xx",
  "consecutive_gateway_failure",
  "consecutive_local_origin_failure",
];

export function outlierStats(stats: EnvoyStats, statName: string): OutlierStats {
  const base = "cluster.{envoy_cluster_name}.outlier_detection.ejections_";
  const byCause = (kind: string) =>
    Object.fromEntries(causes.map((cause) => [cause, stats.counter(`${base}${kind}_${cause}`, statName)]));
  return {
    active: stats.gauge(`${base}active`, statName),
    enforcedTotal: stats.counter(`${base}enforced_total`, statName),
    overflow: stats.counter(`${base}overflow`, statName),
    detected: byCause("detected") as OutlierStats["detected"],
    enforced: byCause("enforced") as OutlierStats["enforced"],
  };
}

export interface OutlierDependencies {
  readonly clock: Clock;
  readonly random: () => number;
  readonly stats: OutlierStats;
  /** The endpoints of the cluster now. */
  readonly endpoints: () => Iterable<UpstreamEndpoint> & { readonly size: number };
  /** An ejection began or ended. */
  readonly onChange: () => void;
}

/**
 * Ejects endpoints whose recent calls keep failing, and lets them back after a
 * time that grows with each ejection.
 *
 * Never ejects more than `maxEjectionPercent` of the cluster (the first one
 * always may go when `alwaysEjectsOneHost`): a sick dependency should be slow
 * for all, not absent for everyone.
 *
 * @see envoy.config.cluster.v3.OutlierDetection
 */
export class OutlierDetector {
  readonly #plan: OutlierPlan;
  readonly #deps: OutlierDependencies;
  #timer: Timer | undefined;

  constructor(plan: OutlierPlan, deps: OutlierDependencies) {
    this.#plan = plan;
    this.#deps = deps;
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Ends every ejection: the plan that asked for them is gone. */
  releaseAll(): void {
    for (const endpoint of this.#deps.endpoints()) this.#release(endpoint);
  }

  /** `successful_active_health_check_uneject_host`: who answers its checks is let back at once. */
  onCheckSucceeded(endpoint: UpstreamEndpoint): void {
    if (this.#plan.releasesOnCheck) this.#release(endpoint);
  }

  report(endpoint: UpstreamEndpoint, outcome: AttemptOutcome): void {
    const { outlier } = endpoint;
    if (outcome.kind === "response" || outcome.kind === "connected") {
      outlier.consecutiveLocalOriginFailure = 0;
      this.#count5xx(endpoint, outcome.kind === "response" ? outcome.status : 200);
    } else if (this.#plan.splitExternalLocalOriginErrors) {
      outlier.consecutiveLocalOriginFailure += 1;
      if (outlier.consecutiveLocalOriginFailure === this.#plan.consecutiveLocalOriginFailure) {
        outlier.consecutiveLocalOriginFailure = 0;
        this.#detect(
          endpoint,
          "consecutive_local_origin_failure",
          this.#plan.enforcingConsecutiveLocalOriginFailure,
        );
      }
    } else {
      // Without the split, a failure on the way counts as the answer a gateway would have given.
      this.#count5xx(endpoint, outcome.kind === "timeout" ? 504 : 503);
    }
  }

  #count5xx(endpoint: UpstreamEndpoint, status: number): void {
    const { outlier } = endpoint;
    if (status < 500 || status > 599) {
      outlier.consecutive5xx = 0;
      outlier.consecutiveGatewayFailure = 0;
      return;
    }
    if (status >= 502 && status <= 504) {
      outlier.consecutiveGatewayFailure += 1;
      if (outlier.consecutiveGatewayFailure === this.#plan.consecutiveGatewayFailure) {
        outlier.consecutiveGatewayFailure = 0;
        this.#detect(endpoint, "consecutive_gateway_failure", this.#plan.enforcingConsecutiveGatewayFailure);
      }
    } else outlier.consecutiveGatewayFailure = 0;
    outlier.consecutive5xx += 1;
    if (outlier.consecutive5xx === this.#plan.consecutive5xx) {
      outlier.consecutive5xx = 0;
      this.#detect(endpoint, "consecutive_5xx", this.#plan.enforcingConsecutive5xx);
    }
  }

  #detect(endpoint: UpstreamEndpoint, cause: Cause, enforcingPercent: number): void {
    const { outlier } = endpoint;
    const { clock, random, stats, onChange } = this.#deps;
    if (outlier.isEjected) return;
    stats.detected[cause].add();
    if (!this.#mayEjectOneMore()) {
      stats.overflow.add();
      return;
    }
    if (random() * 100 >= enforcingPercent) return;
    stats.enforcedTotal.add();
    stats.enforced[cause].add();
    stats.active.add(1);
    outlier.isEjected = true;
    outlier.ejectedAtMs = clock.monotonicMs();
    if (outlier.backoff * this.#plan.baseEjectionMs < this.#plan.maxEjectionMs) outlier.backoff += 1;
    onChange();
  }

  #mayEjectOneMore(): boolean {
    const { stats, endpoints } = this.#deps;
    const active = stats.active.value;
    if (active === 0 && this.#plan.alwaysEjectsOneHost) return true;
    return (100 * (active + 1)) / endpoints().size <= this.#plan.maxEjectionPercent;
  }

  #schedule(): void {
    this.#timer = this.#deps.clock.setTimer(() => {
      this.#sweep();
      this.#schedule();
    }, this.#plan.intervalMs);
  }

  #sweep(): void {
    const { intervalMs, baseEjectionMs, maxEjectionMs } = this.#plan;
    const { clock, endpoints, onChange } = this.#deps;
    const nowMs = clock.monotonicMs();
    let changed = false;
    for (const endpoint of endpoints()) {
      const { outlier } = endpoint;
      if (outlier.isEjected) {
        const ejectionMs = Math.min(
          outlier.backoff * baseEjectionMs,
          Math.max(maxEjectionMs, baseEjectionMs),
        );
        if (nowMs - outlier.ejectedAtMs < ejectionMs) continue;
        this.#release(endpoint);
        changed = true;
      } else if (outlier.backoff > 0 && nowMs - outlier.releasedAtMs >= intervalMs) outlier.backoff -= 1;
    }
    if (changed) onChange();
  }

  #release(endpoint: UpstreamEndpoint): void {
    const { outlier } = endpoint;
    if (!outlier.isEjected) return;
    outlier.isEjected = false;
    outlier.releasedAtMs = this.#deps.clock.monotonicMs();
    outlier.consecutive5xx = 0;
    outlier.consecutiveGatewayFailure = 0;
    outlier.consecutiveLocalOriginFailure = 0;
    this.#deps.stats.active.add(-1);
  }
}
