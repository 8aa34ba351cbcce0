import type { Diagnostics } from "@weft/base/diagnostics";
import { SortedMap } from "@weft/base/sorted-map";
import type { Workload } from "../registry/workload.ts";
import type { ServiceDraft } from "./build-services.ts";
import { resolveHost } from "./host.ts";
import type { InboundPort, MeshOptions, MeshWorkload, Upstream } from "./mesh.ts";
import type { MtlsResolution, WorkloadModes } from "./mtls-resolution.ts";
import { spiffeId } from "./spiffe-id.ts";
import type { WorkloadPolicies } from "./workload-policies.ts";

interface Input {
  readonly drafts: ReadonlyMap<string, ServiceDraft>;
  readonly mtls: MtlsResolution;
  readonly policies: WorkloadPolicies;
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
  const { mtls, policies, options } = input;
  const modes = mtls.of(workload);
  return {
    id: workload.id,
    name: workload.name,
    workloadName: workload.workloadName,
    namespace: workload.namespace,
    identity: spiffeId(options.trustDomain, workload.namespace, workload.serviceAccount),
    labels: workload.labels,
    addresses: workload.addresses,
    interception: workload.interception,
    inbound: inboundPorts(workload, served, modes),
    mtlsMode: modes.mode,
    ...policies.of(workload),
    upstreams: upstreams(workload, input, diagnostics),
  };
}

/** A service that a workload serves: service port to the workload's own. */
export interface Served {
  readonly draft: ServiceDraft;
  readonly ports: ReadonlyMap<number, number>;
}

function servicesByWorkload(drafts: ReadonlyMap<string, ServiceDraft>): Map<string, Served[]> {
  const served = new Map<string, Served[]>();
  for (const hostname of [...drafts.keys()].sort()) {
    const draft = drafts.get(hostname)!;
    for (const { workload, ports } of draft.backends) {
      const list = served.get(workload.id) ?? [];
      list.push({ draft, ports });
      served.set(workload.id, list);
    }
  }
  return served;
}

/** The ports it registered, and those that services select on it. */
function inboundPorts(workload: Workload, served: readonly Served[], modes: WorkloadModes): InboundPort[] {
  const ports = new Map<number, InboundPort>();
  const own = new Map(workload.ports.map((p) => [p.port, p]));
  const add = (port: number, protocol: InboundPort["protocol"], service: InboundPort["service"]) => {
    const known = ports.get(port);
    if (known?.service || (known && !service)) return;
    const registered = own.get(port);
    const listenPort = workload.interception === "NONE" ? registered?.listenPort : port;
    if (listenPort === undefined) return;
    const mtlsMode = modes.ports.get(port) ?? modes.mode;
    ports.set(port, { port, listenPort, protocol: registered?.protocol ?? protocol, mtlsMode, service });
  };
  for (const { draft, ports: targets } of served) {
    const { hostname, name, namespace } = draft.service;
    for (const { number, protocol } of draft.service.ports) {
      const target = targets.get(number);
      if (target !== undefined) add(target, protocol, { hostname, name, namespace });
    }
  }
  for (const { port, protocol } of workload.ports) add(port, protocol, undefined);
  return [...ports.values()].sort((a, b) => a.port - b.port);
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
