import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import type { ServiceDraft } from "./build-services.ts";
import { hasLabels, resolveHost } from "./host.ts";
import type { InboundPort, MeshOptions, MeshWorkload, Upstream } from "./mesh.ts";
import type { MtlsResolution, WorkloadModes } from "./mtls-resolution.ts";
import { provenanceOf } from "./provenance.ts";
import type { AuthorizationPolicy } from "./security.ts";
import type { ResourcesByKind } from "./sorting.ts";
import { spiffeId } from "./spiffe-id.ts";

interface Input {
  readonly resources: ResourcesByKind;
  readonly workloads: readonly Workload[];
  readonly drafts: ReadonlyMap<string, ServiceDraft>;
  readonly mtls: MtlsResolution;
  readonly options: MeshOptions;
}

/** Every workload with the policies that hold for it. */
export function buildWorkloads(input: Input, diagnostics: Diagnostics): Map<string, MeshWorkload> {
  const { resources, mtls, options } = input;
  const served = servicesByWorkload(input.drafts);
  const built = new Map<string, MeshWorkload>();
  for (const workload of input.workloads) {
    const policies = resources.AuthorizationPolicy.filter((p) => selects(p, workload, options));
    const allow = policies.filter((p) => (p.spec.action ?? "ALLOW") === "ALLOW");
    const deny = policies.filter((p) => p.spec.action === "DENY");
    const modes = mtls.of(workload);
    built.set(workload.id, {
      id: workload.id,
      name: workload.name,
      workloadName: workload.workloadName,
      namespace: workload.namespace,
      identity: spiffeId(options.trustDomain, workload.namespace, workload.serviceAccount),
      labels: workload.labels,
      addresses: workload.addresses,
      interception: workload.interception,
      inbound: inboundPorts(workload, served.get(workload.id) ?? [], modes),
      mtlsMode: modes.mode,
      denyPolicies: deny.map(toPolicy),
      allowPolicies: allow.length > 0 ? allow.map(toPolicy) : undefined,
      upstreams: upstreams(workload, input, diagnostics),
    });
  }
  return built;
}

/** A policy of the root namespace holds in every namespace. */
function selects(
  policy: ResourceOf<"AuthorizationPolicy">,
  workload: Workload,
  options: MeshOptions,
): boolean {
  const isInScope = policy.namespace === workload.namespace || policy.namespace === options.rootNamespace;
  return isInScope && hasLabels(workload.labels, policy.spec.selector?.matchLabels);
}

function toPolicy(resource: ResourceOf<"AuthorizationPolicy">): AuthorizationPolicy {
  return {
    name: resource.name,
    namespace: resource.namespace,
    rules: (resource.spec.rules ?? []).map((rule) => ({
      from: (rule.from ?? []).flatMap(({ source }) => source ?? []),
      to: (rule.to ?? []).flatMap(({ operation }) => operation ?? []),
      when: rule.when ?? [],
    })),
    source: provenanceOf(resource),
  };
}

type Served = { readonly draft: ServiceDraft; readonly ports: ReadonlyMap<number, number> };

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
