import type { MeshWorkload } from "../model/mesh.ts";
import type { Service } from "../model/service.ts";
import { lacksCredential, type TlsSecrets } from "../model/tls-secret.ts";
import type { ClientTls } from "../model/traffic-policy.ts";
import type { SeenMesh } from "../model/view.ts";
import type { ClientFeatures } from "./client-features.ts";

/** The Secrets that a gateway has for servers outside the mesh: those of its own namespace. */
export interface Credentials {
  readonly namespace: string;
  readonly secrets: TlsSecrets;
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
  const isAsked = gateway && [...services.values()].some((service) => credentialNames(service).length > 0);
  return isAsked ? { ...features, credentials: { namespace, secrets } } : features;
}

const names = new WeakMap<Service, readonly string[]>();

/** The Secrets that a service's DestinationRule names, for whatever port and subset. */
export function credentialNames(service: Service): readonly string[] {
  let found = names.get(service);
  if (!found) {
    const policies = [service.policy, ...service.subsets.map(({ policy }) => policy)];
    const parts = policies.flatMap((policy) => (policy ? [policy, ...policy.ports] : []));
    found = [...new Set(parts.flatMap(({ tls }) => tls?.credentialName || []))].sort();
    names.set(service, found);
  }
  return found;
}

/** Whether nothing would verify a server, or it asks a gateway for what it has not. */
export function isUnsafe(tls: ClientTls | undefined, credentials: Credentials | undefined): boolean {
  if (tls?.isUnverifiable) return true;
  if (!credentials || !tls?.credentialName) return false;
  return lacksCredential(tls, credentials.namespace, credentials.secrets);
}
