import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import { type SeenMesh, selectionOf } from "../model/view.ts";
import { callerKey, callerOf } from "./caller.ts";
import { type ClientFeatures, featuresKey } from "./client-features.ts";
import { abilitiesOf, credentialsKey } from "./credentials.ts";
import { gatewayParts } from "./gateway/gateway-parts.ts";
import { passesMembers } from "./gateway/passthrough-services.ts";
import type { CommonParts, SidecarPart } from "./part.ts";
import { type Place, placeKey, placeOf } from "./place.ts";
import { commonProxylessParts, ownProxylessParts } from "./proxyless/proxyless-parts.ts";
import { commonSidecarParts, ownSidecarParts, templateParts } from "./sidecar-parts.ts";
import { withSignals } from "./signals-of.ts";

/** Everything a client of a workload is given, in the form that it takes. */
export interface ProxyParts {
  /** Equal for clients that have the same in common: they call alike and can do alike. */
  readonly audience: string;
  /** Where they stand, as far as it matters. */
  readonly place: Place;
  /** Whether they can take IPv6 addresses. */
  readonly hasIpv6: boolean;
  /** Whether more of what is common than assignments is made from endpoints. */
  readonly areMadeFromEndpoints: boolean;
  /** Whether it asks for what it uses: see `Snapshot.isLearnt`. */
  readonly isLearnt: boolean;
  /** What all of its audience is given. */
  readonly common: CommonParts;
  /** What is this workload's alone. */
  readonly own: readonly SidecarPart[];
}

/** @param mesh as the workload gets to see it */
export function proxyParts(mesh: SeenMesh, workload: MeshWorkload, declared: ClientFeatures): ProxyParts {
  const caller = callerOf(workload, mesh);
  const { interception, scope = "" } = workload;
  const features = declared.isProxyless
    ? declared
    : withSignals(withinScope(declared, workload), workload.signals, mesh);
  const abilities = abilitiesOf(workload, mesh, features);
  const secrets = abilities.credentials ? credentialsKey(abilities.credentials) : "";
  const seen = `${scope} ${selectionOf(mesh, workload)}`;
  const place = placeOf(workload, mesh);
  const alike = `${featuresKey(features)} ${interception} ${callerKey(caller)} ${placeKey(place)}`;
  const audience = `${alike} ${seen} ${secrets}`;
  if (features.isProxyless) {
    return {
      audience,
      place,
      hasIpv6: true,
      areMadeFromEndpoints: true,
      isLearnt: false,
      common: commonProxylessParts(mesh, caller, place),
      own: ownProxylessParts(workload, mesh.options),
    };
  }
  return {
    audience,
    place,
    hasIpv6: features.hasIpv6,
    areMadeFromEndpoints:
      dependsOnEndpoints(mesh) || (workload.gateway ? passesMembers(workload.gateway) : false),
    isLearnt: features.learnsScope,
    common: commonSidecarParts(mesh, caller, interception, abilities, place),
    own: workload.gateway
      ? [...gatewayParts(mesh, workload, features), ...templateParts(workload)]
      : ownSidecarParts(mesh, workload, caller, features),
  };
}

/** A Sidecar says what its proxies use, and a gateway's routes do. */
function withinScope(features: ClientFeatures, { scope, gateway }: MeshWorkload): ClientFeatures {
  const isSaid = scope !== undefined || gateway !== undefined;
  return features.learnsScope && isSaid ? { ...features, learnsScope: false } : features;
}

const dependent = new WeakMap<Mesh["services"], boolean>();

/** Listeners and names are made from the endpoints of headless services, clusters from those that DNS finds. */
function dependsOnEndpoints({ services }: Mesh): boolean {
  let depends = dependent.get(services);
  if (depends === undefined) {
    depends = [...services.values()].some(
      ({ isHeadless, resolution }) => isHeadless || resolution.startsWith("dns"),
    );
    dependent.set(services, depends);
  }
  return depends;
}
