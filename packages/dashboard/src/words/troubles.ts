import type { ServiceRow } from "@weft/control/dashboard/view";
import { formatMs, formatRate, formatShare } from "./format.ts";

export type Severity = "bad" | "warn" | "good" | "idle";

export const severityNames: Readonly<Record<Severity, string>> = {
  good: "well",
  idle: "idle",
  warn: "needs a look",
  bad: "in trouble",
};

/** What is wrong with a service, in a few words; the higher the weight, the sooner it should be looked at. */
export interface Trouble {
  readonly severity: "bad" | "warn";
  readonly text: string;
  readonly weight: number;
}

/** Everything that is wrong with a service, the worst first. */
export function troublesOf(service: ServiceRow): readonly Trouble[] {
  const troubles: Trouble[] = [];
  const add = (severity: Trouble["severity"], weight: number, text: string) =>
    troubles.push({ severity, weight: severity === "bad" ? weight + 1_000 : weight, text });
  const { requestsPerSecond: rps = 0, successRate = 1, deniedPerSecond = 0, p99Ms = 0 } = service;
  const failing = 1 - successRate;
  if (service.instances > 0 && service.healthy === 0) add("bad", 900, "no healthy instance");
  else if (service.healthy < service.instances) {
    add("warn", 40, `${service.instances - service.healthy} of ${service.instances} unhealthy`);
  }
  if (failing > 0.05) add("bad", 100 + failing * 400, `${formatShare(failing)} of calls fail`);
  else if (failing > 0.005) add("warn", 100 + failing * 400, `${formatShare(failing)} of calls fail`);
  if (deniedPerSecond > 0 && rps > 0) add("warn", 60, `${formatRate(deniedPerSecond)}/s refused`);
  if (p99Ms >= 1_000) add("warn", 50 + Math.min(40, p99Ms / 250), `p99 is ${formatMs(p99Ms)}`);
  if ((service.loopUtilization ?? 0) > 0.85)
    add("warn", 80, `sidecar ${formatShare(service.loopUtilization)} busy`);
  if ((service.pending ?? 0) > 20) add("warn", 45, `${service.pending} calls wait for a connection`);
  return troubles.sort((a, b) => b.weight - a.weight);
}

/** Of what is no service of the mesh nothing is known. */
export function severityOf(service: ServiceRow | undefined): Severity {
  if (!service) return "idle";
  const [worst] = troublesOf(service);
  if (worst) return worst.severity;
  return service.requestsPerSecond || service.tcpConnections > 0 ? "good" : "idle";
}

/** The most troubled first, then the busiest; equal ones by name, so that lines do not jump. */
export function byTrouble(services: readonly ServiceRow[]): readonly ServiceRow[] {
  const ranked = services.map((service) => ({
    service,
    weight: troublesOf(service)[0]?.weight ?? 0,
    rps: service.requestsPerSecond ?? 0,
    name: `${service.namespace}/${service.name}`,
  }));
  ranked.sort((a, b) => b.weight - a.weight || b.rps - a.rps || (a.name < b.name ? -1 : 1));
  return ranked.map(({ service }) => service);
}
