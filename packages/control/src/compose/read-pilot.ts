import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import type { MetricHistory } from "../telemetry/metric-history.ts";
import { keptMetrics } from "../telemetry/sample.ts";
import type { ConfigSet } from "./config-set.ts";
import type { MeshPipeline } from "./mesh-pipeline.ts";
import type { PilotReadings } from "./pilot-metrics.ts";
import { countByState, type ProxySyncTable } from "./proxy-sync.ts";

/** Where the control plane's gauges are read. */
export interface PilotSources {
  readonly sync: ProxySyncTable;
  readonly authority: CertificateAuthority;
  readonly config: ConfigSet;
  readonly pipeline: MeshPipeline;
  readonly registry: WorkloadRegistry;
  readonly history: MetricHistory;
}

/** The control plane as it is now, for who scrapes it. */
export function readPilot(sources: PilotSources): PilotReadings {
  const { sync, authority, config, pipeline, registry, history } = sources;
  const { mesh, diagnostics } = pipeline.current;
  const { rootNotAfterMs, issuerNotAfterMs = rootNotAfterMs, issued } = authority.caStatus();
  let virtualServices = 0;
  for (const { resource } of config.entries.values()) {
    if (resource.kind === "VirtualService") virtualServices += 1;
  }
  let emptyServices = 0;
  for (const [hostname, { resolution }] of mesh.services) {
    if (resolution === "endpoints" && !mesh.endpoints.get(hostname)?.length) emptyServices += 1;
  }
  let notReadyWorkloads = 0;
  for (const { isHealthy } of registry.workloads.values()) if (!isHealthy) notReadyWorkloads += 1;
  return {
    proxies: sync.proxies.size,
    services: mesh.services.size,
    virtualServices,
    workloads: registry.workloads.size,
    notReadyWorkloads,
    emptyServices,
    configErrors: diagnostics.filter((diagnostic) => diagnostic.severity === "error").length,
    rootExpirySeconds: rootNotAfterMs / 1000,
    chainExpirySeconds: Math.min(rootNotAfterMs, issuerNotAfterMs) / 1000,
    issuedCertificates: issued,
    uptimeSeconds: process.uptime(),
    proxiesByState: countByState(sync),
    certificateExpiries: history.newest(keptMetrics.certificateNotAfter),
  };
}
