import type { Clock, Timer } from "@weft/base/clock";
import type { AttemptOutcome } from "./cluster.ts";
import type { OutlierPlan } from "./cluster-plan.ts";
import type { OutlierCause, OutlierStats } from "./outlier-stats.ts";
import { findRateOutliers } from "./success-rate.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

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
      outlier.local.total += 1;
      outlier.local.successes += 1;
      this.#count5xx(endpoint, outcome.kind === "response" ? outcome.status : 200);
    } else if (this.#plan.splitExternalLocalOriginErrors) {
      outlier.local.total += 1;
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
    outlier.external.total += 1;
    if (status < 500 || status > 599) {
      outlier.external.successes += 1;
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

  #detect(endpoint: UpstreamEndpoint, cause: OutlierCause, enforcingPercent: number): void {
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
    outlier.jitterMs = Math.floor(random() * (this.#plan.maxEjectionJitterMs + 1));
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
        if (nowMs - outlier.ejectedAtMs < ejectionMs + outlier.jitterMs) continue;
        this.#release(endpoint);
        changed = true;
      } else if (outlier.backoff > 0 && nowMs - outlier.releasedAtMs >= intervalMs) outlier.backoff -= 1;
    }
    if (changed) onChange();
    this.#judge("external", "externalRate", {
      belowMean: ["success_rate", this.#plan.enforcingSuccessRate],
      failing: ["failure_percentage", this.#plan.enforcingFailurePercentage],
    });
    this.#judge("local", "localRate", {
      belowMean: ["local_origin_success_rate", this.#plan.enforcingLocalOriginSuccessRate],
      failing: ["failure_percentage_local_origin", this.#plan.enforcingFailurePercentageLocalOrigin],
    });
  }

  /** Compares what the endpoints did in the interval that ends now, and begins the next. */
  #judge(
    counts: "external" | "local",
    rate: "externalRate" | "localRate",
    causes: Readonly<Record<"belowMean" | "failing", readonly [OutlierCause, enforcingPercent: number]>>,
  ): void {
    const hosts = [...this.#deps.endpoints()];
    // Without the split nothing is counted as local.
    if (counts === "external" || this.#plan.splitExternalLocalOriginErrors) {
      const present = hosts.filter(({ outlier }) => !outlier.isEjected);
      const found = findRateOutliers(
        present.map((host) => [host, host.outlier[counts]] as const),
        this.#plan.rates,
      );
      for (const host of hosts) host.outlier[rate] = found.rates.get(host) ?? -1;
      for (const host of found.belowMean) this.#detect(host, ...causes.belowMean);
      for (const host of found.failing) this.#detect(host, ...causes.failing);
    }
    for (const { outlier } of hosts) {
      outlier[counts].total = 0;
      outlier[counts].successes = 0;
    }
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
