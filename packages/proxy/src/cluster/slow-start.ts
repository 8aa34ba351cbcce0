import type { SlowStartPlan } from "./balancer-plan.ts";

/**
 * The share of its weight that an endpoint gets `nowMs`, having been healthy
 * since `healthySinceMs`: it grows from `minWeight` to 1 over the window.
 *
 * @see envoy.extensions.load_balancing_policies.common.v3.SlowStartConfig
 */
export function slowStartFactor(
  plan: SlowStartPlan,
  healthySinceMs: number | undefined,
  nowMs: number,
): number {
  if (healthySinceMs === undefined) return 1;
  const sinceMs = nowMs - healthySinceMs;
  if (sinceMs >= plan.windowMs) return 1;
  const time = Math.max(1, sinceMs) / plan.windowMs;
  return Math.max(plan.aggression === 1 ? time : time ** (1 / plan.aggression), plan.minWeight);
}
