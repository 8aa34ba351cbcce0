import type { Clock, Timer } from "@weft/base/clock";
import type { ActiveHealth } from "./active-health.ts";
import type { HealthCheckPlan } from "./health-check-plan.ts";
import type { HealthCheckStats } from "./health-check-stats.ts";
import type { Probe, ProbeResult } from "./probe.ts";

export interface SessionOptions {
  readonly plan: HealthCheckPlan;
  readonly clock: Clock;
  readonly random: () => number;
  readonly stats: HealthCheckStats;
  readonly health: ActiveHealth;
  /** Whether the cluster has ever had traffic. */
  readonly hasTraffic: () => boolean;
  readonly createProbe: (onResult: (result: ProbeResult) => void) => Probe;
  /** After each check; `hasChanged` where the balancer must know. */
  readonly onChecked: (hasChanged: boolean) => void;
}

type Cause = "active" | "network" | "timeout" | "passive";
type Transition = "none" | "pending" | "changed";

/**
 * The checks of one endpoint: when the next one is due, and how many of them
 * make it healthy or not. The first one decides by itself.
 */
export class HealthCheckSession {
  readonly #options: SessionOptions;
  readonly #probe: Probe;
  #next: Timer | undefined;
  #timeout: Timer | undefined;
  #isStopped = false;
  #isFirst = true;
  #successes = 0;
  #failures = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#probe = options.createProbe((result) => this.#onResult(result));
    if (!options.health.isFailed) options.stats.healthy.add(1);
    if (options.health.isDegraded) options.stats.degraded.add(1);
  }

  get hasBeenChecked(): boolean {
    return !this.#isFirst;
  }

  start(): void {
    const { initialJitterMs } = this.#options.plan;
    if (initialJitterMs === 0) this.#check();
    else this.#schedule(this.#withJitter(0, initialJitterMs));
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#next?.cancel();
    this.#timeout?.cancel();
    this.#probe.cancel();
    const { health, stats } = this.#options;
    if (!health.isFailed) stats.healthy.add(-1);
    if (health.isDegraded) stats.degraded.add(-1);
  }

  /** The endpoint itself said, in an answer to a request, that it should not get any. */
  failPassively(): void {
    this.#options.health.isExcluded = true;
    this.#settle(this.#fail("passive", false));
  }

  #check(): void {
    const { plan, clock, stats } = this.#options;
    stats.attempt.add();
    this.#timeout = clock.setTimer(() => {
      this.#timeout = undefined;
      this.#probe.cancel();
      this.#failed("timeout", false);
    }, plan.timeoutMs);
    this.#probe.check();
  }

  #onResult(result: ProbeResult): void {
    if (this.#isStopped) return;
    this.#timeout?.cancel();
    this.#timeout = undefined;
    if (result.kind === "healthy") this.#succeeded(result.isDegraded);
    else {
      if (result.isImmediate) this.#options.health.isExcluded = true;
      this.#failed(result.cause, result.isRetriable);
    }
  }

  #succeeded(isDegraded: boolean): void {
    const { health, plan, stats } = this.#options;
    this.#failures = 0;
    let transition: Transition = "none";
    if (health.isFailed) {
      this.#successes += 1;
      if (this.#isFirst || this.#successes === plan.healthyThreshold) {
        health.isFailed = false;
        health.isTimedOut = false;
        health.isExcluded = false;
        stats.healthy.add(1);
        transition = "changed";
      } else transition = "pending";
    }
    transition = this.#endPending(transition);
    if (isDegraded !== health.isDegraded) {
      health.isDegraded = isDegraded;
      stats.degraded.add(isDegraded ? 1 : -1);
      if (transition === "none") transition = "changed";
    }
    stats.success.add();
    this.#settle(transition);
    const { intervalMs, healthyEdgeIntervalMs, noTrafficIntervalMs, noTrafficHealthyIntervalMs } = plan;
    if (transition === "pending") this.#scheduleAfter(healthyEdgeIntervalMs, noTrafficIntervalMs);
    else this.#scheduleAfter(intervalMs, noTrafficHealthyIntervalMs);
  }

  #failed(cause: Cause, isRetriable: boolean): void {
    const transition = this.#fail(cause, isRetriable);
    this.#settle(transition);
    const { unhealthyIntervalMs, unhealthyEdgeIntervalMs, noTrafficIntervalMs } = this.#options.plan;
    const intervalMs = transition === "pending" ? unhealthyEdgeIntervalMs : unhealthyIntervalMs;
    this.#scheduleAfter(intervalMs, noTrafficIntervalMs);
  }

  /** An answer that says so is enough; anything that may be an accident counts towards the threshold. */
  #fail(cause: Cause, isRetriable: boolean): Transition {
    const { health, plan, stats } = this.#options;
    const isNetwork = cause === "network" || cause === "timeout";
    this.#successes = 0;
    let transition: Transition = "none";
    if (!health.isFailed) {
      if (isNetwork || isRetriable) this.#failures += 1;
      if ((!isNetwork && !isRetriable) || this.#failures === plan.unhealthyThreshold) {
        health.isFailed = true;
        stats.healthy.add(-1);
        transition = "changed";
      } else transition = "pending";
    }
    health.isTimedOut = cause === "timeout" && health.isFailed;
    stats.failure.add();
    if (isNetwork) stats.networkFailure.add();
    else if (cause === "passive") stats.passiveFailure.add();
    return this.#endPending(transition);
  }

  #endPending(transition: Transition): Transition {
    const { health } = this.#options;
    if (!health.isPending) return transition;
    health.isPending = false;
    return "changed";
  }

  #settle(transition: Transition): void {
    this.#isFirst = false;
    this.#options.onChecked(transition === "changed");
  }

  #scheduleAfter(intervalMs: number, noTrafficMs: number): void {
    const { plan, hasTraffic } = this.#options;
    this.#schedule(this.#withJitter(hasTraffic() ? intervalMs : noTrafficMs, plan.intervalJitterMs));
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    this.#next = this.#options.clock.setTimer(() => this.#check(), delayMs);
  }

  #withJitter(baseMs: number, jitterMs: number): number {
    const { plan, random } = this.#options;
    const percent = (plan.intervalJitterPercent * baseMs) / 100;
    return Math.max(1, Math.floor(baseMs + random() * percent + random() * jitterMs));
  }
}
