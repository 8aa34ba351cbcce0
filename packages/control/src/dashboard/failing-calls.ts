import { spiffeId } from "../model/spiffe-id.ts";
import { isDenial, isFailure } from "../telemetry/call-tally.ts";
import type { GoldenSignalsInput } from "../telemetry/golden-signals.ts";
import { keptMetrics, type Labels } from "../telemetry/sample.ts";
import type { FailingCalls, ServiceDetail } from "./view.ts";

const maxRows = 50;
/** Flags of answers that a route's or a destination rule's settings decide about. */
const byRoute: ReadonlySet<string> = new Set(["FI", "DI", "UT", "URX", "UPE", "NR"]);
const byDestinationRule: ReadonlySet<string> = new Set(["UO", "UH", "OM"]);

/**
 * Calls to one service that failed or were refused within the windows, those that
 * failed alike together, the most frequent first, each with the resource that
 * decides about such calls where there is one.
 */
export function failingCalls(
  { windows, workloads, trustDomain }: GoldenSignalsInput,
  service: Pick<ServiceDetail, "hostname" | "destinationRule" | "routes" | "policies"> & {
    readonly namespace: string;
    readonly name: string;
  },
): readonly FailingCalls[] {
  const byId = new Map(workloads.map((workload) => [workload.id, workload]));
  const rows = new Map<string, FailingCalls>();
  for (const { exporter, series } of windows) {
    const workload = byId.get(exporter);
    if (!workload) continue;
    const isOwn = workload.service === service.name && workload.namespace === service.namespace;
    for (const { sample, increase } of series) {
      const { metric, labels } = sample;
      if (metric !== keptMetrics.requests || increase <= 0 || !(isFailure(labels) || isDenial(labels)))
        continue;
      const isAnswer = labels.reporter === "destination" && isOwn;
      const isUnanswered = labels.reporter === "source" && labels.destination_service === service.hostname;
      if (!isAnswer && !isUnanswered) continue;
      const caller = isAnswer
        ? labels.source_principal
        : spiffeId(trustDomain, workload.namespace, workload.serviceAccount);
      const version = isAnswer ? (workload.labels.version ?? "") : "";
      const { response_code: responseCode = "", grpc_response_status: grpcStatus = "" } = labels;
      const row = {
        from: caller && caller !== "unknown" ? caller : "unknown",
        version,
        responseCode,
        grpcStatus,
        flags: labels.response_flags === "-" ? "" : (labels.response_flags ?? ""),
      };
      const key = Object.values(row).join("\0");
      const calls = increase + (rows.get(key)?.calls ?? 0);
      rows.set(key, { ...row, calls, origin: originOf(labels, service) });
    }
  }
  return [...rows.values()]
    .map((row) => ({ ...row, calls: Math.round(row.calls) }))
    .sort((a, b) => b.calls - a.calls)
    .slice(0, maxRows);
}

function originOf(
  labels: Labels,
  { routes, destinationRule, policies }: Pick<ServiceDetail, "routes" | "destinationRule" | "policies">,
): string | undefined {
  const flags = labels.response_flags?.split(",") ?? [];
  if (flags.some((flag) => byRoute.has(flag))) {
    const isFault = flags.includes("FI") || flags.includes("DI");
    return (routes.find(({ action }) => !isFault || /abort|delay/.test(action)) ?? routes[0])?.origin;
  }
  if (flags.some((flag) => byDestinationRule.has(flag))) return destinationRule;
  return isDenial(labels)
    ? (policies.find(({ action }) => action === "DENY") ?? policies[0])?.origin
    : undefined;
}
