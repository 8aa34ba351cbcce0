import { isIP } from "node:net";
import type { Workload } from "../registry/workload.ts";

/** One group of Prometheus's HTTP service discovery. */
export interface ScrapeTargets {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** Where every sidecar and gateway, Envoy or not, shows its statistics: Istio's port. */
const statsPort = 15090;

/** What the control plane is called by those who scrape it: dashboards written for Istio ask for these. */
const controlPlaneLabels = { job: "istiod", app: "istiod" } as const;

/** What a workload may not say through its labels: who it is, and how it is scraped. */
const plainLabels = ["app", "version"] as const;

/**
 * Everything of the mesh that has metrics, for Prometheus's `http_sd_configs`:
 * the control plane at `controlPlane` (`HOST:PORT`) and each sidecar and gateway.
 *
 * The labels are those that Istio's scrape configuration makes of a pod. Other
 * labels of a workload are `__meta_weft_label_NAME`, as Prometheus does it for
 * pods: there for relabelling, and on no series by themselves.
 *
 * @see https://prometheus.io/docs/prometheus/latest/http_sd/
 */
export function scrapeTargets(
  controlPlane: string,
  rootNamespace: string,
  workloads: Iterable<Workload>,
): ScrapeTargets[] {
  const own = {
    ...controlPlaneLabels,
    namespace: rootNamespace,
    pod: "istiod",
    __metrics_path__: "/metrics",
  };
  const groups: ScrapeTargets[] = [{ targets: [controlPlane], labels: own }];
  for (const workload of workloads) {
    const [address] = workload.addresses;
    if (!workload.hasSidecar || address === undefined) continue;
    const host = isIP(address) === 6 ? `[${address}]` : address;
    groups.push({ targets: [`${host}:${statsPort}`], labels: labelsOf(workload) });
  }
  return groups;
}

function labelsOf({ name, workloadName, namespace, labels, isGateway }: Workload): Record<string, string> {
  const said: Record<string, string> = {};
  for (const key of plainLabels) {
    const value = labels[key];
    if (value) said[key] = value;
  }
  for (const [key, value] of Object.entries(labels)) {
    said[`__meta_weft_label_${key.replace(/[^a-zA-Z0-9_]/g, "_")}`] = value;
  }
  return {
    ...said,
    job: "envoy-stats",
    namespace,
    pod: name,
    __metrics_path__: "/stats/prometheus",
    __meta_weft_workload: workloadName,
    __meta_weft_role: isGateway ? "gateway" : "sidecar",
  };
}
