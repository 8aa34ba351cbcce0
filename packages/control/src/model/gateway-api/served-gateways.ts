import type { SecretCertificate } from "../gateway.ts";
import type { ResourcesByKind } from "../sorting.ts";
import type { TlsSecrets } from "../tls-secret.ts";
import { type ApiGateway, ownGateways } from "./api-gateways.ts";
import { type ApiListener, apiListener } from "./api-listeners.ts";
import { isKnownAddress } from "./gateway-addresses.ts";
import { GatewayLookup } from "./gateway-lookup.ts";
import { conflictsAmong } from "./listener-conflicts.ts";
import { type ListenerSet, setsByParent, takenBy } from "./listener-sets.ts";
import type { RefFault } from "./trust-refs.ts";

/** A Gateway that is the mesh's to serve, with all that is known of it without those who run it. */
export interface ServedGateway {
  readonly gateway: ApiGateway;
  /** Its own, then those of its ListenerSets by precedence, also such that are not served. */
  readonly listeners: readonly ApiListener[];
  /** ListenerSets that it takes, by precedence, and those that it does not. */
  readonly sets: readonly ListenerSet[];
  readonly refusedSets: readonly ListenerSet[];
  /** Why it is not accepted, and so not served; undefined where it is. */
  readonly refusal: Omit<RefFault, "path"> | undefined;
  /** What it shows to backends; undefined where it shows nothing, or has nothing to show. */
  readonly backendCertificate: SecretCertificate | undefined;
  readonly backendFault: RefFault | undefined;
}

type Resources = Pick<
  ResourcesByKind,
  "KubernetesGateway" | "GatewayClass" | "ListenerSet" | "ReferenceGrant" | "ConfigMap" | "Namespace"
>;

export function servedGateways(resources: Resources, secrets: TlsSecrets): ServedGateway[] {
  const lookup = new GatewayLookup(resources, secrets);
  const sets = setsByParent(resources.ListenerSet);
  return ownGateways(resources.KubernetesGateway, resources.GatewayClass).map((gateway) => {
    const { allowed, refused } = takenBy(
      gateway,
      sets.get(`${gateway.namespace}/${gateway.name}`) ?? [],
      lookup,
    );
    const owners = [gateway, ...allowed];
    const conflicts = conflictsAmong(owners.map(({ spec }) => spec.listeners));
    return {
      gateway,
      listeners: owners.flatMap((owner) =>
        owner.spec.listeners.map((spec, i) => apiListener(gateway, owner, i, conflicts.get(spec), lookup)),
      ),
      sets: allowed,
      refusedSets: refused,
      refusal: refusalOf(gateway),
      ...backendCertificate(gateway, lookup),
    };
  });
}

/** What it asks for and no gateway here could be. */
function refusalOf({ spec }: ApiGateway): ServedGateway["refusal"] {
  const unknown = spec.addresses?.find((address) => !isKnownAddress(address));
  if (unknown) {
    const message = `an address of type ${unknown.type} is not known here: write IPAddress or Hostname`;
    return { reason: "UnsupportedAddress", message };
  }
  const parameters = spec.infrastructure?.parametersRef;
  // Istio's are ConfigMaps that say how to deploy what is not deployed here.
  if (!parameters || (parameters.group === "" && parameters.kind === "ConfigMap")) return undefined;
  const message = `${parameters.kind} ${parameters.name} holds no parameters that are known here`;
  return { reason: "InvalidParameters", message };
}

/** By `spec.tls.backend`. A gateway without it calls its backends as one that shows nothing. */
function backendCertificate(
  { spec, namespace }: ApiGateway,
  lookup: GatewayLookup,
): Pick<ServedGateway, "backendCertificate" | "backendFault"> {
  const ref = spec.tls?.backend?.clientCertificateRef;
  if (!ref) return { backendCertificate: undefined, backendFault: undefined };
  const referrer = { kind: "Gateway", namespace } as const;
  const { certificate, fault } = lookup.certificate(ref, referrer, "InvalidClientCertificateRef");
  if (!fault) return { backendCertificate: certificate, backendFault: undefined };
  return {
    backendCertificate: undefined,
    backendFault: { ...fault, path: "spec.tls.backend.clientCertificateRef" },
  };
}
