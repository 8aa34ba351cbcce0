import { type Diagnostics, type Told, told } from "@weft/base/diagnostics";
import { keepLatest } from "@weft/base/keep-latest";
import { KeptFor } from "@weft/base/kept-for";
import type { SortedMap } from "@weft/base/sorted-map";
import type { Workload } from "../registry/workload.ts";
import { type ChosenSidecar, type SidecarChoice, scopeKey } from "./build-scopes.ts";
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

/** Every workload with the policies that hold for it; the very same where that is made from the same. */
export function buildWorkloads(
  input: Input & { readonly workloads: readonly Workload[]; readonly drafts: SortedMap<ServiceDraft> },
  diagnostics: Diagnostics,
): Map<string, MeshWorkload> {
  const served = servicesByWorkload(input.drafts);
  return new Map(
    input.workloads.map((workload) => [
      workload.id,
      buildWorkload(workload, served.get(workload.id) ?? none, input, diagnostics),
    ]),
  );
}

const none: readonly never[] = [];
const looked = new KeptFor<Workload, Told<MeshWorkload>>();
const built = new KeptFor<Workload, Told<MeshWorkload>>();

/** One workload; the services it serves are in order of their hostnames. */
export function buildWorkload(
  workload: Workload,
  served: readonly Served[],
  input: Input,
  diagnostics: Diagnostics,
): MeshWorkload {
  const { options, mtls, policies, sidecars, groups, ruleIndex, gateways, drafts } = input;
  const gateway = gateways?.get(workload.id);
  const from: unknown[] = [options, mtls, policies, sidecars, groups, gateway];
  if (workload.upstreams.length > 0) from.push(drafts);
  for (const { draft, ports } of served) {
    from.push(draft, ports, ruleIndex.find(draft.service, { namespace: workload.namespace }));
  }
  // Of most changes nothing of this is another; of the others most choose the same for it as before.
  const { made, said } = looked.get(workload, from, () => builtFor(workload, served, input));
  diagnostics.add(said);
  return made;
}

function builtFor(workload: Workload, served: readonly Served[], input: Input): Told<MeshWorkload> {
  const chosen = chosenFor(workload, input);
  const { modes, sidecar, gateway, template, problem, demands, upstreams } = chosen;
  const from: unknown[] = [
    input.options,
    modes,
    sidecar.sidecar,
    gateway,
    template,
    problem,
    demands.signals,
    ...upstreams,
    ...sidecar.rivals,
    ...demands.jwtRules,
    ...demands.policies,
  ];
  for (const { draft, ports } of served) {
    from.push(draft, ports, input.ruleIndex.find(draft.service, { namespace: workload.namespace }));
  }
  return built.get(workload, from, () =>
    told((diagnostics) => withChosen(workload, served, chosen, input, diagnostics)),
  );
}

/** All that is written elsewhere and holds for a workload. */
type Chosen = ReturnType<typeof chosenFor>;

function chosenFor(workload: Workload, input: Input) {
  const { mtls, policies, sidecars, groups, gateways, options, drafts } = input;
  return {
    modes: workload.isGateway ? asItsServersSay : mtls.of(workload),
    sidecar: workload.isGateway ? noSidecar : sidecars.of(workload),
    gateway: gateways?.get(workload.id),
    template: groups.templateOf(workload),
    problem: groups.problem(workload),
    demands: policies.of(workload),
    upstreams: workload.upstreams.map(({ host }) =>
      drafts.get(resolveHost(host, workload.namespace, options)),
    ),
  };
}

const noSidecar: ChosenSidecar = { sidecar: undefined, rivals: [] };

function withChosen(
  workload: Workload,
  served: readonly Served[],
  { modes, sidecar: { sidecar, rivals }, gateway, template, problem, demands, upstreams }: Chosen,
  { ruleIndex, options }: Pick<Input, "ruleIndex" | "options">,
  diagnostics: Diagnostics,
): MeshWorkload {
  for (const { origins } of rivals) {
    const message = `two Sidecars select ${workload.id}: "${sidecar!.name}" applies to it, this one does not`;
    diagnostics.warning(
      "IST0110",
      origins.at("spec.workloadSelector"),
      message,
      "let their selectors differ",
    );
  }
  const scope = sidecar && scopeKey(sidecar);
  const locality = localityOf(workload.locality, workload.labels);
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
    ...demands,
    upstreams: upstreamsOf(workload, upstreams, options, diagnostics),
    ...(gateway ? { gateway } : {}),
  };
}

/** Whether a gateway speaks TLS is a matter of each server of its Gateways, and of whoever calls it. */
const asItsServersSay: WorkloadModes = { mode: "DISABLE", ports: new Map() };

/** Which services each workload serves, in order of their hostnames. */
const servicesByWorkload = keepLatest((drafts: SortedMap<ServiceDraft>) => {
  const served = new Map<string, Served[]>();
  for (const draft of drafts.values()) {
    if (draft.service.isAlias) continue;
    for (const { workload, ports } of draft.backends) {
      const list = served.get(workload.id);
      if (list) list.push({ draft, ports });
      else served.set(workload.id, [{ draft, ports }]);
    }
  }
  return served as ReadonlyMap<string, readonly Served[]>;
});

function upstreamsOf(
  workload: Workload,
  drafts: readonly (ServiceDraft | undefined)[],
  options: MeshOptions,
  diagnostics: Diagnostics,
): Upstream[] {
  return workload.upstreams.map(({ host, port, bindAddress, bindPort }, i) => {
    const hostname = resolveHost(host, workload.namespace, options);
    const draft = drafts[i];
    if (!draft?.service.ports.some((p) => p.number === port)) {
      const known = draft?.service.ports.map((p) => p.number).join(", ");
      const message = draft ? `${hostname} has no port ${port}` : `no service ${hostname} is known yet`;
      const hint = draft ? `its ports: ${known}` : "calls are refused until it registers";
      diagnostics.warning("W2110", undefined, `upstream of ${workload.id}: ${message}`, hint);
    }
    return { hostname, port, bindAddress, bindPort };
  });
}
