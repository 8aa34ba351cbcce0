import type { MeshWorkload } from "../model/mesh.ts";
import type { Service } from "../model/service.ts";
import { lacksCredential, type TlsSecrets } from "../model/tls-secret.ts";
import type { ClientTls } from "../model/traffic-policy.ts";
import type { SeenMesh } from "../model/view.ts";
import type { ClientFeatures } from "./client-features.ts";
import { certificateSecretName } from "./gateway/gateway-names.ts";

/** The Secrets that a gateway has for servers outside the mesh: those of its own namespace. */
export interface Credentials {
  readonly namespace: string;
  readonly secrets: TlsSecrets;
  /** The name under which it has what it shows to backends that a BackendTLSPolicy is for. */
  readonly forBackends: string | undefined;
}

/** What a proxy can do, and what it has that others have not. */
export interface ProxyAbilities extends ClientFeatures {
  readonly credentials?: Credentials;
}

/** With the Secrets of a gateway, where some service that it sees asks for one; no sidecar has any. */
export function abilitiesOf(
  { gateway, namespace }: MeshWorkload,
  { secrets, services }: SeenMesh,
  features: ClientFeatures,
): ProxyAbilities {
  if (!gateway) return features;
  const { secret, namespace: of } = gateway.backendCertificate ?? {};
  const forBackends = secret === undefined ? undefined : certificateSecretName(secret, of);
  const credentials = { namespace, secrets, forBackends };
  const isAsked = [...services.values()].some((service) => asksFor(service, credentials));
  return isAsked ? { ...features, credentials } : features;
}

/** Whether anything to a service depends on what a gateway has. */
export function asksFor(service: Service, { forBackends }: Credentials): boolean {
  return (
    credentialNames(service).length > 0 ||
    (forBackends !== undefined &&
      tlsOf(service).some(({ showsGatewayCertificate }) => showsGatewayCertificate))
  );
}

/** Equal for gateways that have the same. */
export function credentialsKey({ namespace, forBackends }: Credentials): string {
  return `secrets of ${namespace}${forBackends === undefined ? "" : ` and ${forBackends}`}`;
}

const names = new WeakMap<Service, readonly string[]>();

/** The Secrets that a service's DestinationRule names, for whatever port and subset. */
export function credentialNames(service: Service): readonly string[] {
  let found = names.get(service);
  if (!found) {
    found = [...new Set(tlsOf(service).flatMap(({ credentialName }) => credentialName || []))].sort();
    names.set(service, found);
  }
  return found;
}

function tlsOf({ policy, subsets }: Service): ClientTls[] {
  const policies = [policy, ...subsets.map((subset) => subset.policy)];
  const parts = policies.flatMap((one) => (one ? [one, ...one.ports] : []));
  return parts.flatMap(({ tls }) => tls ?? []);
}

/** Whether nothing would verify a server, or it asks a gateway for what it has not. */
export function isUnsafe(tls: ClientTls | undefined, credentials: Credentials | undefined): boolean {
  if (tls?.isUnverifiable) return true;
  if (!credentials || !tls?.credentialName) return false;
  return lacksCredential(tls, credentials.namespace, credentials.secrets);
}
