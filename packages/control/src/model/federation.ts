import { Diagnostics } from "@weft/base/diagnostics";
import type { SpiffeId, TrustDomain } from "@weft/identity/spiffe-id";
import type { ConfigResource, ResourceOf } from "../config/resource.ts";
import type { FederationSource } from "./federation-source.ts";
import type { MeshSettings } from "./options.ts";
import { resourcesOf } from "./sorting.ts";

/**
 * The trust domains a mesh is federated with. Two resources about one domain
 * contend: the first by name wins, so that nobody's word about roots is mixed
 * with another's. MeshConfig's come first.
 */
export function buildFederation(
  resources: readonly ResourceOf<"ClusterFederatedTrustDomain">[],
  { trustDomain: own, trustDomainAliases = [], trustAnchors = [] }: MeshSettings,
  diagnostics: Diagnostics,
): readonly FederationSource[] {
  const sources = [...trustAnchors];
  for (const { name, spec, origins } of resources) {
    const at = origins.at("spec.trustDomain");
    const trustDomain = spec.trustDomain as TrustDomain;
    const first = sources.find((source) => source.trustDomain === trustDomain);
    if (trustDomain === own || trustDomainAliases.includes(trustDomain)) {
      diagnostics.error("W1210", at, `${trustDomain} is this mesh's own trust domain`, "remove the resource");
    } else if (first) {
      const hint = "remove one of them";
      diagnostics.error("W1210", at, `${trustDomain} is federated with already, by ${first.name}`, hint);
    } else {
      const { type, endpointSPIFFEID } = spec.bundleEndpointProfile;
      const spiffeId = type === "https_spiffe" ? (endpointSPIFFEID as SpiffeId) : undefined;
      sources.push({
        trustDomain,
        endpoint: { url: spec.bundleEndpointURL, spiffeId },
        ...(spec.trustDomainBundle === undefined ? {} : { initial: spec.trustDomainBundle }),
        name: `ClusterFederatedTrustDomain ${name}`,
      });
    }
  }
  return sources;
}

/** The same of all resources that are in force. */
export function federationSources(
  resources: readonly ConfigResource[],
  settings: MeshSettings,
): readonly FederationSource[] {
  const { ClusterFederatedTrustDomain } = resourcesOf(resources);
  return buildFederation(ClusterFederatedTrustDomain, settings, new Diagnostics());
}
