import { type Diagnostic, Diagnostics } from "@weft/base/diagnostics";
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
import { buildRules, RuleIndex } from "./destination-rules.ts";
import { buildFederation } from "./federation.ts";
import { attachRoutes, type RouteStatuses } from "./gateway-api/attach-routes.ts";
import { GatewayAttachments } from "./gateway-api/attach-to-gateways.ts";
import { type GatewayStatuses, gatewayStatuses } from "./gateway-api/gateway-status.ts";
import { type PolicyStatuses, policyAncestors } from "./gateway-api/policy-ancestors.ts";
import { backendTlsTargets, type TargetStatuses } from "./gateway-api/policy-status.ts";
import { reportGateways } from "./gateway-api/report-gateways.ts";
import { routeKinds } from "./gateway-api/route-kinds.ts";
import { type ServedGateway, servedGateways } from "./gateway-api/served-gateways.ts";
import type { KeySets } from "./key-source.ts";
import type { Mesh } from "./mesh.ts";
import { MtlsResolution } from "./mtls-resolution.ts";
import { type MeshSettings, meshOptions } from "./options.ts";
import { ProxyConfigs } from "./proxy-configs.ts";
import type { ServiceDraft } from "./service-draft.ts";
import { type ResourcesByKind, resourcesOf, sortedMap, sortedUnique } from "./sorting.ts";
import { buildSecrets } from "./tls-secret.ts";
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

export function buildGround(input: MeshInput): MeshGround {
  const diagnostics = new Diagnostics();
  const resources = resourcesOf(input.resources);
  const federation = buildFederation(resources.ClusterFederatedTrustDomain, input.options, diagnostics);
  const federated = sortedUnique(federation.map(({ trustDomain }) => trustDomain));
  const options = meshOptions(input.options, federated);
  const groups = new WorkloadGroups(
    resources.WorkloadGroup,
    new ProxyConfigs(resources.ProxyConfig, options),
  );
  const workloads = input.workloads
    .map((workload) => groups.member(workload))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const mtls = new MtlsResolution(resources.PeerAuthentication, options, diagnostics);
  const drafts = buildServices({ resources, workloads, vips: input.vips, mtls, options }, diagnostics);
  const secrets = sortedMap(buildSecrets(resources.Secret));
  const apiGateways = servedGateways(resources, secrets);
  reportGateways(apiGateways, resources.ListenerSet, diagnostics);
  const { Gateway, DestinationRule: rulesWritten } = resources;
  const gateways = buildGatewayRoles(
    { gateways: Gateway, apiGateways, workloads, rules: rulesWritten, secrets, options },
    diagnostics,
  );
  const policies = new WorkloadPolicies(resources, input.keySets ?? new Map(), options, diagnostics);
  const sidecars = new SidecarChoice(resources.Sidecar, options, diagnostics);
  const scopes = sortedMap(buildScopes(resources.Sidecar, options));
  const hostRules = buildRules(resources.DestinationRule, options, diagnostics);
  const ruleIndex = new RuleIndex(hostRules.values(), options.rootNamespace);
  const held = { mtls, policies, sidecars, groups, ruleIndex };
  const meshWorkloads = buildWorkloads({ workloads, drafts, ...held, gateways, options }, diagnostics);
  const { services, endpoints, rules } = buildDestinations({
    drafts,
    workloads: meshWorkloads,
    hostRules,
    ruleIndex,
    options,
  });
  const policyTargets = backendTlsTargets(resources, { services, options }, diagnostics);
  const mesh = {
    options,
    services: sortedMap(services),
    endpoints: SortedMap.from(endpoints),
    rules: sortedMap(rules),
    scopes,
    workloads: meshWorkloads,
    secrets,
  };
  return {
    mesh,
    drafts: SortedMap.from(drafts),
    vips: input.vips,
    resources,
    ...held,
    apiGateways,
    policyTargets,
    diagnostics: diagnostics.all,
  };
}

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
