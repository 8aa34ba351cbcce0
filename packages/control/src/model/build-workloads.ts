import type { Diagnostics } from "@weft/base/diagnostics";
import { SortedMap } from "@weft/base/sorted-map";
import type { Workload } from "../registry/workload.ts";
import { type SidecarChoice, scopeKey } from "./build-scopes.ts";
import type { RuleIndex } from "./destination-rules.ts";
import type { GatewayRole } from "./gateway.ts";
import { resolveHost } from "./host.ts";
import { inboundPorts, type Served } from "./inbound-ports.ts";
import { localityOf } from "./locality.ts";
import type { MeshWorkload, Upstream } from "./mesh.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MtlsResolution, WorkloadModes } from "./mtls-resolution.ts";
import type { ServiceDraft } from "./service-draft.ts";
import { spiffeId } from "./spiffe-id.ts";
import type { WorkloadGroups } from "./workload-groups.ts";
import type { WorkloadPolicies } from "./workload-policies.ts";

interface Input {
  readonly drafts: ReadonlyMap<string, ServiceDraft>;
  readonly mtls: MtlsResolution;
  readonly policies: WorkloadPolicies;
  readonly sidecars: SidecarChoice;
  readonly groups: WorkloadGroups;
  readonly ruleIndex: RuleIndex;
  /** Of the workloads that are gateways. */
  readonly gateways?: ReadonlyMap<string, GatewayRole>;
  readonly options: MeshOptions;
}

/** Every workload with the policies that hold for it. */
export function buildWorkloads(
  input: Input & { readonly workloads: readonly Workload[] },
  diagnostics: Diagnostics,
): SortedMap<MeshWorkload> {
  const served = servicesByWorkload(input.drafts);
  return SortedMap.from(
    input.workloads.map((workload) => [
      workload.id,
      buildWorkload(workload, served.get(workload.id) ?? [], input, diagnostics),
    ]),
  );
}

/** One workload; the services it serves are in order of their hostnames. */
export function buildWorkload(
  workload: Workload,
  served: readonly Served[],
  input: Input,
  diagnostics: Diagnostics,
): MeshWorkload {
  const { mtls, policies, sidecars, groups, ruleIndex, options } = input;
  const modes = workload.isGateway ? asItsServersSay : mtls.of(workload);
  const sidecar = workload.isGateway ? undefined : sidecars.of(workload, diagnostics);
  const scope = sidecar && scopeKey(sidecar);
  const gateway = input.gateways?.get(workload.id);
  const template = groups.templateOf(workload);
  const locality = localityOf(workload.locality, workload.labels);
  const problem = groups.problem(workload);
  if (problem) {
    const hint = "until then it is only what it says of itself, and not ready";
    diagnostics.warning("W2116", undefined, `${workload.id}: ${problem}`, hint);
  }
  return {
    id: workload.id,
    name: workload.name,
    workloadName: workload.workloadName,
    namespace: workload.namespace,
    identity: spiffeId(options.trustDomain, workload.namespace, workload.serviceAccount),
    labels: workload.labels,
    ...(locality ? { locality } : {}),
    addresses: workload.addresses,
    interception: workload.interception,
    ...(scope === undefined ? {} : { scope }),
    inbound: inboundPorts(workload, served, modes, sidecar, ruleIndex),
    ...(template ? { template } : {}),
    mtlsMode: modes.mode,
    ...policies.of(workload),
    upstreams: upstreams(workload, input, diagnostics),
    ...(gateway ? { gateway } : {}),
  };
}

/** Whether a gateway speaks TLS is a matter of each server of its Gateways, and of whoever calls it. */
const asItsServersSay: WorkloadModes = { mode: "DISABLE", ports: new Map() };

function servicesByWorkload(drafts: ReadonlyMap<string, ServiceDraft>): Map<string, Served[]> {
  const served = new Map<string, Served[]>();
  for (const hostname of [...drafts.keys()].sort()) {
    const draft = drafts.get(hostname)!;
    if (draft.service.isAlias) continue;
    for (const { workload, ports } of draft.backends) {
      const list = served.get(workload.id) ?? [];
      list.push({ draft, ports });
      served.set(workload.id, list);
    }
  }
  return served;
}

function upstreams(workload: Workload, input: Input, diagnostics: Diagnostics): Upstream[] {
  return workload.upstreams.map(({ host, port, bindAddress, bindPort }) => {
    const hostname = resolveHost(host, workload.namespace, input.options);
    const draft = input.drafts.get(hostname);
    if (!draft?.service.ports.some((p) => p.number === port)) {
      const known = draft?.service.ports.map((p) => p.number).join(", ");
      const message = draft ? `${hostname} has no port ${port}` : `no service ${hostname} is known yet`;
      const hint = draft ? `its ports: ${known}` : "calls are refused until it registers";
      diagnostics.warning("W2110", undefined, `upstream of ${workload.id}: ${message}`, hint);
    }
    return { hostname, port, bindAddress, bindPort };
  });
}
