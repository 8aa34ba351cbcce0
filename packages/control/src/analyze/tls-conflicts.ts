import type { ClientTlsSpec, TrafficPolicySpec } from "../config/destination-rule-specs.ts";
import { coversHost, hasLabels, resolveHost } from "../model/host.ts";
import type { Service } from "../model/service.ts";
import type { AnalyzedMesh, Analyzer } from "./analyzer.ts";

/** One `tls` that a DestinationRule writes, and whom it is for. */
interface WrittenTls {
  readonly tls: ClientTlsSpec;
  readonly path: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: every port that has no `tls` of its own. */
  readonly port: number | undefined;
}

/** IST0113: callers are told to speak plain text, or TLS of another kind, where only mutual TLS is taken; or the reverse. */
export const findTlsConflicts: Analyzer = (analyzed, diagnostics) => {
  const { mesh, resources } = analyzed;
  for (const resource of resources.DestinationRule) {
    const { spec, namespace, origins } = resource;
    const host = resolveHost(spec.host, namespace, mesh.options);
    const services = [...mesh.services.values()].filter(({ hostname }) => coversHost(host, hostname));
    for (const written of tlsOf(spec)) {
      const conflict = services
        .map((service) => conflictOf(written, service, analyzed))
        .find((one) => one !== undefined);
      if (!conflict) continue;
      const hint =
        written.tls.mode === "ISTIO_MUTUAL"
          ? "remove tls here: it is spoken where it is taken"
          : "write mode ISTIO_MUTUAL, or nothing, which means the same; or a PeerAuthentication that takes plain text";
      diagnostics.error("IST0113", origins.at(`${written.path}.mode`), conflict, hint);
    }
  }
};

function conflictOf(written: WrittenTls, service: Service, analyzed: AnalyzedMesh): string | undefined {
  const mode = written.tls.mode ?? "DISABLE";
  for (const endpoint of analyzed.endpointsOf(service)) {
    const workload = analyzed.workloadOf(endpoint);
    if (!workload || !hasLabels(endpoint.labels, written.labels)) continue;
    for (const { servicePort, port } of endpoint.ports) {
      if (written.port !== undefined && written.port !== servicePort) continue;
      const inbound = workload.inbound.find(({ listenPort }) => listenPort === port);
      if (mode !== "ISTIO_MUTUAL" && inbound?.mtlsMode === "STRICT") {
        const said = mode === "DISABLE" ? "plain text" : `TLS of mode ${mode}`;
        return `callers of ${service.hostname} speak ${said} to port ${servicePort}, but ${workload.workloadName} takes only mutual TLS there: calls fail`;
      }
      if (mode === "ISTIO_MUTUAL" && inbound?.mtlsMode === "DISABLE") {
        return `callers of ${service.hostname} speak mutual TLS to port ${servicePort}, but ${workload.workloadName} takes only plain text there: calls fail`;
      }
    }
  }
  return undefined;
}

/** Every `tls` of a rule. */
export function tlsOf(spec: {
  readonly trafficPolicy?: TrafficPolicySpec;
  readonly subsets?: readonly {
    readonly labels?: Readonly<Record<string, string>>;
    readonly trafficPolicy?: TrafficPolicySpec;
  }[];
}): WrittenTls[] {
  return [
    ...tlsOfPolicy(spec.trafficPolicy, "spec.trafficPolicy", {}),
    ...(spec.subsets ?? []).flatMap(({ labels, trafficPolicy }, i) =>
      tlsOfPolicy(trafficPolicy, `spec.subsets[${i}].trafficPolicy`, labels ?? {}),
    ),
  ];
}

function tlsOfPolicy(
  policy: TrafficPolicySpec | undefined,
  path: string,
  labels: WrittenTls["labels"],
): WrittenTls[] {
  const own = policy?.tls ? [{ tls: policy.tls, path: `${path}.tls`, labels, port: undefined }] : [];
  return [
    ...own,
    ...(policy?.portLevelSettings ?? []).flatMap(({ tls, port }, i) =>
      tls ? [{ tls, path: `${path}.portLevelSettings[${i}].tls`, labels, port: port?.number }] : [],
    ),
  ];
}
