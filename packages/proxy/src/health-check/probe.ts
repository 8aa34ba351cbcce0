import type { PoolContext } from "../layer/pending-connection.ts";
import { GrpcProbe } from "./grpc-probe.ts";
import type { HealthCheckPlan, ProbeTarget } from "./health-check-plan.ts";
import { HttpProbe } from "./http-probe.ts";
import { TcpProbe } from "./tcp-probe.ts";

/** What one check found. */
export type ProbeResult =
  | { readonly kind: "healthy"; readonly isDegraded: boolean }
  | {
      readonly kind: "failed";
      /** `active` is an answer that says so; one is enough unless it `isRetriable`. */
      readonly cause: "active" | "network";
      readonly isRetriable: boolean;
      /** The endpoint asks to be left out at once. */
      readonly isImmediate: boolean;
    };

/** Asks one endpoint; one check at a time. */
export interface Probe {
  /** Answers once, possibly before returning, unless `cancel` comes first. */
  check(): void;
  /** Ends a check without an answer, and its connection. */
  cancel(): void;
}

export type ProbeFactory = (
  plan: HealthCheckPlan,
  target: ProbeTarget,
  onResult: (result: ProbeResult) => void,
) => Probe;

export function probeFactory(context: PoolContext): ProbeFactory {
  return (plan, target, onResult) => {
    const { probe, reusesConnection } = plan;
    switch (probe.kind) {
      case "http":
        return new HttpProbe(probe, reusesConnection, target, context, onResult);
      case "grpc":
        return new GrpcProbe(probe, reusesConnection, target, context, onResult);
      case "tcp":
        return new TcpProbe(probe, reusesConnection, target, context, onResult);
    }
  };
}
