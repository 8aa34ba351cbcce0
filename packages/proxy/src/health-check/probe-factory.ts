import type { PoolContext } from "../layer/pending-connection.ts";
import { GrpcProbe } from "./grpc-probe.ts";
import type { HealthCheckPlan, ProbeTarget } from "./health-check-plan.ts";
import { HttpProbe } from "./http-probe.ts";
import type { Probe, ProbeResult } from "./probe.ts";
import { TcpProbe } from "./tcp-probe.ts";

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
