import type { MeshWorkload } from "../model/mesh.ts";
import type { Service } from "../model/service.ts";
import type { SeenMesh } from "../model/view.ts";
import type { Caller } from "./caller.ts";
import { type ClientFeatures, featuresKey } from "./client-features.ts";
import { asksFor, credentialsKey, type ProxyAbilities } from "./credentials.ts";
import { inboundClusters, outboundFixedClusters } from "./fixed-clusters.ts";
import { inboundListeners } from "./inbound-listeners.ts";
import { namesOfAll, nameTable } from "./name-table.ts";
import { outboundClusters } from "./outbound-clusters.ts";
import { boundParts, capturedParts, explicitParts, hasHeadless } from "./outbound-parts.ts";
import { type CommonParts, endpointsPart, none, part, type SidecarPart } from "./part.ts";
import { type Place, placeKeyFor } from "./place.ts";
import { asideOf, isUsedUnasked } from "./used-unasked.ts";
import { workloadTemplate } from "./workload-template.ts";

/** What sidecars that call alike and can do alike are given, in the smallest parts that change together. Pure, and cheap until built. */
export function commonSidecarParts(
  mesh: SeenMesh,
  caller: Caller,
  interception: MeshWorkload["interception"],
  features: ProxyAbilities,
  place: Place,
): CommonParts {
  const { options, services, endpoints, secrets } = mesh;
  return {
    byService: {
      services,
      endpoints,
      from: [options, asideOf(mesh), ...(features.credentials ? [secrets] : [])],
      of: (service) => serviceParts(service, mesh, features, place),
    },
    rest: () => [
      part("fixed-clusters", "cluster", [options], "", () => outboundFixedClusters(options)),
      namesPart(mesh),
      ...(interception === "NONE"
        ? boundParts(mesh, caller, features)
        : capturedParts(mesh, caller, features)),
    ],
  };
}

/** What is given to the sidecars of one workload alone. */
export function ownSidecarParts(
  mesh: SeenMesh,
  workload: MeshWorkload,
  caller: Caller,
  features: ClientFeatures,
): SidecarPart[] {
  const { options } = mesh;
  const variant = featuresKey(features);
  return [
    part("inbound-clusters", "cluster", [workload, options], variant, () =>
      inboundClusters(workload, options, features),
    ),
    part("inbound-listeners", "listener", [workload, options], variant, () =>
      inboundListeners(workload, options, features),
    ),
    ...templateParts(workload),
    ...(workload.interception === "NONE" ? explicitParts(mesh, workload, caller, features) : []),
  ];
}

/** Parts of a service with what they were made from. */
interface Made {
  readonly from: readonly object[];
  readonly parts: readonly SidecarPart[];
}

const made = new WeakMap<Service, Map<string, Made>>();

/** The clusters and endpoints of one service; the very same parts where they would be made from the same. */
export function serviceParts(
  service: Service,
  mesh: SeenMesh,
  features: ProxyAbilities,
  place: Place,
): readonly SidecarPart[] {
  const { options } = mesh;
  const usual = options.defaults.locality;
  const { credentials, hasIpv6, families } = features;
  const asksForSecrets = credentials !== undefined && asksFor(service, credentials);
  const endpoints = mesh.endpoints.get(service.hostname) ?? none;
  const from = asksForSecrets ? [options, endpoints, mesh.secrets] : [options, endpoints];
  const own = asksForSecrets ? ` ${credentialsKey(credentials)}` : "";
  const isAwaited = features.learnsScope && !isUsedUnasked(service.hostname, mesh);
  const isByDns = service.resolution.startsWith("dns");
  const reach = `${hasIpv6 ? "" : " without IPv6"}${isByDns ? ` ${families}` : ""}`;
  const variant = `${features.negotiatesHttp ? "negotiated" : ""}${own}${isAwaited ? " on demand" : ""}${reach}`;
  const standing = placeKeyFor(service, usual, place);
  const known = made.get(service) ?? new Map<string, Made>();
  made.set(service, known);
  const last = known.get(variant + standing);
  if (last?.from.length === from.length && last.from.every((object, i) => object === from[i])) {
    return last.parts;
  }
  const clusters = part(
    "clusters",
    "cluster",
    [service, ...(isByDns ? [endpoints] : []), ...(asksForSecrets ? [mesh.secrets] : []), options],
    isByDns ? variant + standing : variant,
    () => outboundClusters(service, isByDns ? endpoints : none, options, features, place),
  );
  const parts = [
    { ...clusters, isOnDemand: isAwaited },
    endpointsPart(service, endpoints, { place, usual, hasIpv6 }),
  ];
  known.set(variant + standing, { from, parts });
  return parts;
}

/** What the agent of a WorkloadGroup's member asks for. */
export function templateParts({ template }: MeshWorkload): SidecarPart[] {
  if (!template) return [];
  return [part("template", "workloadTemplate", [template], "", () => [workloadTemplate(template)])];
}

/** Names of what can be called. */
function namesPart({ services: all, endpoints, options, egress }: SeenMesh): SidecarPart {
  const services = egress?.services ?? all;
  const names = namesOfAll(services);
  const from = hasHeadless({ services }) ? [names, endpoints, options] : [names, options];
  return part("names", "nameTable", from, "", () => [nameTable({ services, endpoints, options })]);
}
