import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import type { ServiceDraft } from "./build-services.ts";
import { hasLabels, resolveHost } from "./host.ts";
import type { InboundPort, MeshOptions, MeshWorkload, Upstream } from "./mesh.ts";
import { provenanceOf } from "./provenance.ts";
import type { AuthorizationPolicy, MtlsMode } from "./security.ts";
import type { ResourcesByKind } from "./sorting.ts";

interface Input {
  readonly resources: ResourcesByKind;
  readonly workloads: readonly Workload[];
  readonly drafts: ReadonlyMap<string, ServiceDraft>;
  readonly options: MeshOptions;
}

/** Every workload with the policies that hold for it. */
export function buildWorkloads(input: Input, diagnostics: Diagnostics): Map<string, MeshWorkload> {
  const { resources, options } = input;
  const served = servicesByWorkload(input.drafts);
  const mtls = new MtlsResolution(resources.PeerAuthentication, options, diagnostics);
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

export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
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

interface WorkloadModes {
  readonly mode: MtlsMode;
  readonly ports: ReadonlyMap<number, MtlsMode>;
}

/** Workload before namespace before mesh; `UNSET` means the next wider one. */
class MtlsResolution {
  readonly #mesh: MtlsMode;
  readonly #namespaces = new Map<string, MtlsMode>();
  readonly #selective: readonly ResourceOf<"PeerAuthentication">[];
  readonly #root: string;

  constructor(
    resources: readonly ResourceOf<"PeerAuthentication">[],
    options: MeshOptions,
    diagnostics: Diagnostics,
  ) {
    this.#root = options.rootNamespace;
    this.#selective = resources.filter((r) => hasSelector(r));
    const wide = new Map<string, ResourceOf<"PeerAuthentication">>();
    for (const resource of resources) {
      if (hasSelector(resource)) continue;
      const first = wide.get(resource.namespace);
      if (first) {
        const scope = resource.namespace === this.#root ? "the mesh" : `namespace ${resource.namespace}`;
        const message = `two PeerAuthentications are for all of ${scope}: "${first.name}" applies, this one does not`;
        diagnostics.error(
          "W2106",
          resource.origins.at("metadata.name"),
          message,
          "remove one, or add a selector",
        );
        continue;
      }
      wide.set(resource.namespace, resource);
    }
    this.#mesh = modeOf(wide.get(this.#root)) ?? options.defaults.mtlsMode;
    for (const [namespace, resource] of wide) this.#namespaces.set(namespace, modeOf(resource) ?? this.#mesh);
  }

  of(workload: Workload): WorkloadModes {
    const wider = this.#namespaces.get(workload.namespace) ?? this.#mesh;
    const own = this.#selective.find(
      (r) =>
        (r.namespace === workload.namespace || r.namespace === this.#root) &&
        hasLabels(workload.labels, r.spec.selector?.matchLabels),
    );
    const mode = modeOf(own) ?? wider;
    const ports = new Map<number, MtlsMode>();
    for (const [port, setting] of Object.entries(own?.spec.portLevelMtls ?? {})) {
      const portMode = setting.mode ?? "UNSET";
      ports.set(Number(port), portMode === "UNSET" ? mode : portMode);
    }
    return { mode, ports };
  }
}

function hasSelector(resource: ResourceOf<"PeerAuthentication">): boolean {
  return Object.keys(resource.spec.selector?.matchLabels ?? {}).length > 0;
}

function modeOf(resource: ResourceOf<"PeerAuthentication"> | undefined): MtlsMode | undefined {
  const mode = resource?.spec.mtls?.mode;
  return mode === undefined || mode === "UNSET" ? undefined : mode;
}
