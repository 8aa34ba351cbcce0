import { type Diagnostic, Diagnostics, type Told, told } from "@weft/base/diagnostics";
import { keepLatest } from "@weft/base/keep-latest";
import { SortedMap } from "@weft/base/sorted-map";
import type { MeshKind } from "../config/kinds.ts";
import type { ConfigResource } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import { buildDestinations } from "./build-destinations.ts";
import { buildGatewayRouting } from "./build-gateway-routing.ts";
import { buildGatewayRoles } from "./build-gateways.ts";
import { buildRouting } from "./build-routing.ts";
import { buildScopes, SidecarChoice } from "./build-scopes.ts";
import { buildServices } from "./build-services.ts";
import { buildWorkloads } from "./build-workloads.ts";
import { checkReferences } from "./check-references.ts";
import { buildRules, type HostRule, RuleIndex } from "./destination-rules.ts";
import { buildFederation } from "./federation.ts";
import type { GatewayRole } from "./gateway.ts";
import { attachRoutes, type RouteStatuses } from "./gateway-api/attach-routes.ts";
import { GatewayAttachments } from "./gateway-api/attach-to-gateways.ts";
import { type GatewayStatuses, gatewayStatuses } from "./gateway-api/gateway-status.ts";
import { type PolicyStatuses, policyAncestors } from "./gateway-api/policy-ancestors.ts";
import { backendTlsTargets, type TargetStatuses } from "./gateway-api/policy-status.ts";
import { reportGateways } from "./gateway-api/report-gateways.ts";
import { routeKinds } from "./gateway-api/route-kinds.ts";
import { type ServedGateway, servedGateways } from "./gateway-api/served-gateways.ts";
import type { KeySets } from "./key-source.ts";
import type { Mesh, MeshWorkload } from "./mesh.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { MtlsResolution } from "./mtls-resolution.ts";
import { type MeshSettings, meshOptions } from "./options.ts";
import { ProxyConfigs } from "./proxy-configs.ts";
import type { ServiceDraft } from "./service-draft.ts";
import { ServingWorkloads } from "./serving-workloads.ts";
import { share, shareInOrder } from "./share-unchanged.ts";
import { type ResourcesByKind, resourcesOf, sortedMap, sortedUnique } from "./sorting.ts";
import { buildSecrets, type TlsSecrets } from "./tls-secret.ts";
import { WorkloadGroups } from "./workload-groups.ts";
import { WorkloadPolicies } from "./workload-policies.ts";

export interface MeshInput {
  readonly resources: readonly ConfigResource[];
  readonly workloads: readonly Workload[];
  /** Virtual address by hostname; see `hostnamesNeedingAddress` for who wants one. */
  readonly vips: ReadonlyMap<string, string>;
  /** What has been fetched of the keys that tokens are verified with. */
  readonly keySets?: KeySets;
  readonly options: MeshSettings;
}

/** All of a mesh but how calls are routed in it, which no VirtualService and no route has a part in. */
export interface MeshGround {
  readonly mesh: Omit<Mesh, "routing" | "attached" | "gatewayRouting">;
  /** What services and endpoints were made from. */
  readonly drafts: SortedMap<ServiceDraft>;
  readonly vips: MeshInput["vips"];
  /** What gateways serve, by the ids of their workloads. */
  readonly roles: SortedMap<GatewayRole>;
  readonly resources: ResourcesByKind;
  readonly mtls: MtlsResolution;
  readonly policies: WorkloadPolicies;
  readonly sidecars: SidecarChoice;
  readonly groups: WorkloadGroups;
  readonly ruleIndex: RuleIndex;
  readonly apiGateways: readonly ServedGateway[];
  readonly policyTargets: TargetStatuses;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The mesh that these resources and workloads make. Pure, and independent of
 * the order of its inputs: where two resources contend, the first by namespace
 * and name wins and the other is reported.
 */
export function buildMesh(input: MeshInput): RoutedMesh {
  return routeMesh(buildGround(input), input.resources);
}

/**
 * Every stage keeps what it made of the very same things, for each service and
 * each workload by itself: a changed document costs what hangs on it.
 *
 * @param before of which whatever is equal is the very same again
 */
export function buildGround(input: MeshInput, before?: MeshGround): MeshGround {
  const diagnostics = new Diagnostics();
  const resources = resourcesOf(input.resources);
  const federation = buildFederation(resources.ClusterFederatedTrustDomain, input.options, diagnostics);
  const federated = sortedUnique(federation.map(({ trustDomain }) => trustDomain));
  const options = meshOptions(input.options, federated);
  const groups = groupsOf(resources.WorkloadGroup, resources.ProxyConfig, options);
  const workloads = members(input.workloads, groups);
  const mtls = add(diagnostics, mtlsOf(resources.PeerAuthentication, options));
  const serving = servingOf(workloads, options);
  const found = add(diagnostics, servicesOf(servedBy(resources), serving, input.vips, mtls, options));
  const drafts = SortedMap.like(before?.drafts, found);
  const secrets = share(before?.mesh.secrets, secretsOf(resources.Secret));
  const apiGateways = gatewaysOf(offeredBy(resources), secrets);
  const { DestinationRule, Gateway, ListenerSet, Sidecar } = resources;
  reportGateways(apiGateways, ListenerSet, diagnostics);
  const served = add(
    diagnostics,
    rolesOf(Gateway, apiGateways, DestinationRule, workloads, secrets, options),
  );
  const roles = shareInOrder(before?.roles, served);
  const keySets = input.keySets ?? noKeys;
  const policies = add(diagnostics, policiesOf(demandedBy(resources), keySets, options));
  const sidecars = add(diagnostics, sidecarsOf(Sidecar, options));
  const hostRules = add(diagnostics, rulesOf(DestinationRule, options));
  const ruleIndex = ruleIndexOf(hostRules, options.rootNamespace);
  const held = { mtls, policies, sidecars, groups, ruleIndex };
  const built = add(
    diagnostics,
    workloadsOf(workloads, drafts, mtls, policies, sidecars, groups, ruleIndex, roles, options),
  );
  const meshWorkloads = shareInOrder(before?.mesh.workloads, built);
  const placed = destinationsOf(drafts, meshWorkloads, hostRules, ruleIndex, options);
  const services = share(before?.mesh.services, placed.services);
  const policyTargets = backendTlsTargets(resources, { services, options }, diagnostics);
  const mesh = {
    options,
    services,
    endpoints: shareInOrder(before?.mesh.endpoints, placed.endpoints),
    rules: share(before?.mesh.rules, inOrder(placed.rules)),
    scopes: share(before?.mesh.scopes, scopesOf(Sidecar, options)),
    workloads: meshWorkloads,
    secrets,
  };
  return {
    mesh,
    drafts,
    vips: input.vips,
    roles,
    resources,
    ...held,
    apiGateways,
    policyTargets,
    diagnostics: diagnostics.all,
  };
}

type Kinds = ResourcesByKind;

const noKeys: KeySets = new Map();

function add<T>(diagnostics: Diagnostics, { made, said }: Told<T>): T {
  diagnostics.add(said);
  return made;
}

/** Picks the resources of some kinds: the very same object as long as none of these is another. */
function latestOf<K extends MeshKind>(
  ...kinds: readonly K[]
): (all: ResourcesByKind) => Pick<ResourcesByKind, K> {
  const pick = keepLatest(
    (...lists: readonly unknown[]) =>
      Object.fromEntries(kinds.map((kind, i) => [kind, lists[i]])) as unknown as Pick<ResourcesByKind, K>,
  );
  return (all) => pick(...kinds.map((kind) => all[kind]));
}

const groupsOf = keepLatest(
  (groups: Kinds["WorkloadGroup"], proxies: Kinds["ProxyConfig"], options: MeshOptions) =>
    new WorkloadGroups(groups, new ProxyConfigs(proxies, options)),
);

const members = keepLatest((workloads: readonly Workload[], groups: WorkloadGroups) =>
  workloads.map((workload) => groups.member(workload)).sort((a, b) => (a.id < b.id ? -1 : 1)),
);

const servingOf = keepLatest(
  (workloads: readonly Workload[], options: MeshOptions) => new ServingWorkloads(workloads, options),
);

const mtlsOf = keepLatest((written: Kinds["PeerAuthentication"], options: MeshOptions) =>
  told((diagnostics) => new MtlsResolution(written, options, diagnostics)),
);

const servedBy = latestOf(
  "Service",
  "EndpointSlice",
  "Endpoints",
  "ServiceEntry",
  "WorkloadEntry",
  "BackendTLSPolicy",
  "ConfigMap",
);

const servicesOf = keepLatest(
  (
    resources: ReturnType<typeof servedBy>,
    workloads: ServingWorkloads,
    vips: ReadonlyMap<string, string>,
    mtls: MtlsResolution,
    options: MeshOptions,
  ) => told((diagnostics) => buildServices({ resources, workloads, vips, mtls, options }, diagnostics)),
);

const offeredBy = latestOf(
  "KubernetesGateway",
  "GatewayClass",
  "ListenerSet",
  "ReferenceGrant",
  "ConfigMap",
  "Namespace",
);

const gatewaysOf = keepLatest((resources: ReturnType<typeof offeredBy>, secrets: TlsSecrets) =>
  servedGateways(resources, secrets),
);

const rolesOf = keepLatest(
  (
    gateways: Kinds["Gateway"],
    apiGateways: readonly ServedGateway[],
    rules: Kinds["DestinationRule"],
    workloads: readonly Workload[],
    secrets: TlsSecrets,
    options: MeshOptions,
  ) => {
    const input = { gateways, apiGateways, rules, workloads, secrets, options };
    return told((diagnostics) => buildGatewayRoles(input, diagnostics));
  },
);

const workloadsOf = keepLatest(
  (
    workloads: readonly Workload[],
    drafts: SortedMap<ServiceDraft>,
    mtls: MtlsResolution,
    policies: WorkloadPolicies,
    sidecars: SidecarChoice,
    groups: WorkloadGroups,
    ruleIndex: RuleIndex,
    gateways: ReadonlyMap<string, GatewayRole>,
    options: MeshOptions,
  ) => {
    const input = { workloads, drafts, mtls, policies, sidecars, groups, ruleIndex, gateways, options };
    return told((diagnostics) => buildWorkloads(input, diagnostics));
  },
);

const rulesOf = keepLatest((written: Kinds["DestinationRule"], options: MeshOptions) =>
  told((diagnostics) => buildRules(written, options, diagnostics)),
);

const ruleIndexOf = keepLatest(
  (rules: ReadonlyMap<string, HostRule>, rootNamespace: string) =>
    new RuleIndex(rules.values(), rootNamespace),
);

const destinationsOf = keepLatest(
  (
    drafts: SortedMap<ServiceDraft>,
    workloads: SortedMap<MeshWorkload>,
    hostRules: ReadonlyMap<string, HostRule>,
    ruleIndex: RuleIndex,
    options: MeshOptions,
  ) => buildDestinations({ drafts, workloads, hostRules, ruleIndex, options }),
);

const demandedBy = latestOf("AuthorizationPolicy", "RequestAuthentication", "Telemetry");

const policiesOf = keepLatest(
  (resources: ReturnType<typeof demandedBy>, keySets: KeySets, options: MeshOptions) =>
    told((diagnostics) => new WorkloadPolicies(resources, keySets, options, diagnostics)),
);

const sidecarsOf = keepLatest((written: Kinds["Sidecar"], options: MeshOptions) =>
  told((diagnostics) => new SidecarChoice(written, options, diagnostics)),
);

const scopesOf = keepLatest((written: Kinds["Sidecar"], options: MeshOptions) =>
  sortedMap(buildScopes(written, options)),
);

const secretsOf = keepLatest((written: Kinds["Secret"]) => sortedMap(buildSecrets(written)));

const inOrder = keepLatest(sortedMap<HostRule>);

export interface RoutedMesh {
  readonly mesh: Mesh;
  readonly diagnostics: readonly Diagnostic[];
  /** What became of the Gateway API's routes. */
  readonly routes: RouteStatuses;
  /** And of its Gateways. */
  readonly gateways: GatewayStatuses;
  /** And of its policies. */
  readonly policyStatuses: PolicyStatuses;
}

/** The mesh on a ground made from the same resources, at least from those that are not in `routingKinds`. */
export function routeMesh(ground: MeshGround, configured: readonly ConfigResource[]): RoutedMesh {
  const diagnostics = new Diagnostics();
  const resources = resourcesOf(configured);
  const { options, services, endpoints, rules, scopes, workloads, secrets } = ground.mesh;
  const routing = sortedMap(buildRouting(resources.VirtualService, options, diagnostics));
  const { apiGateways } = ground;
  const attachments = new GatewayAttachments(apiGateways);
  const routes = attachRoutes(resources, { services, options, routing }, attachments, diagnostics);
  const atGateways = [...buildGatewayRouting(resources.VirtualService, options), ...attachments.routing()];
  const gatewayRouting = sortedMap(new Map(atGateways));
  const attached = sortedMap(routes.attached);
  const changing = { routing, attached, gatewayRouting };
  const mesh: Mesh = { options, services, endpoints, ...changing, rules, scopes, workloads, secrets };
  checkReferences(mesh, resources, diagnostics);
  return {
    mesh,
    diagnostics: [...ground.diagnostics, ...diagnostics.all],
    routes: routes.statuses,
    gateways: gatewayStatuses(resources.GatewayClass, apiGateways, attachments, mesh),
    policyStatuses: policyAncestors(ground.policyTargets, attachments),
  };
}

/** What changes routes alone: services and endpoints are made without them. */
export const routingKinds: ReadonlySet<MeshKind> = new Set<MeshKind>([
  "VirtualService",
  ...routeKinds,
  // Which say when a route is to change, and are none themselves.
  "Canary",
  "MetricTemplate",
  "AlertProvider",
]);
