/** Plans and probes for tests of health checks. */
import type { HealthCheckPlan } from "./health-check-plan.ts";
import type { Probe, ProbeResult } from "./probe.ts";
import type { ProbeFactory } from "./probe-factory.ts";

export const healthy: ProbeResult = { kind: "healthy", isDegraded: false };
export const degraded: ProbeResult = { kind: "healthy", isDegraded: true };
export const refused: ProbeResult = {
  kind: "failed",
  cause: "active",
  isRetriable: false,
  isImmediate: false,
};
export const unreachable: ProbeResult = { ...refused, cause: "network" };
export const retriable: ProbeResult = { ...refused, isRetriable: true };

export function healthCheckPlan(options: Partial<HealthCheckPlan> = {}): HealthCheckPlan {
  return {
    probe: { kind: "tcp", send: undefined, receive: [] },
    timeoutMs: 1_000,
    intervalMs: 5_000,
    initialJitterMs: 0,
    intervalJitterMs: 0,
    intervalJitterPercent: 0,
    unhealthyThreshold: 3,
    healthyThreshold: 2,
    noTrafficIntervalMs: 60_000,
    noTrafficHealthyIntervalMs: 60_000,
    unhealthyIntervalMs: 5_000,
    unhealthyEdgeIntervalMs: 5_000,
    healthyEdgeIntervalMs: 5_000,
    reusesConnection: true,
    altPort: undefined,
    transportMatch: undefined,
    alpnProtocols: undefined,
    ...options,
  };
}

/** Probes that answer at once what `answers` says of an endpoint; undefined never answers. */
export function scriptedProbes(answers: (host: string) => ProbeResult | undefined): ProbeFactory {
  return (_plan, { address }, onResult): Probe => ({
    check() {
      const result = answers(address.kind === "ip" ? address.host : address.path);
      if (result) onResult(result);
    },
    cancel() {},
  });
}
