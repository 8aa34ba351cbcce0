import { KeptFor } from "@weft/base/kept-for";
import type { ClientTlsSpec } from "../config/destination-rule-specs.ts";
import type { TlsSecretSpec } from "../config/read-secret.ts";
import type { ResourceOf } from "../config/resource.ts";
import type { GatewayServer } from "./gateway.ts";
import type { Provenance } from "./provenance.ts";
import { provenanceOf } from "./provenance.ts";

/** A Secret as gateways of its own namespace may be given it. */
export interface TlsSecret extends TlsSecretSpec {
  readonly source: Provenance;
}

/** By `namespace/name`. */
export type TlsSecrets = ReadonlyMap<string, TlsSecret>;

const made = new KeptFor<ResourceOf<"Secret">, TlsSecret>();

export function buildSecrets(resources: readonly ResourceOf<"Secret">[]): Map<string, TlsSecret> {
  return new Map(
    resources.map((resource) => [
      `${resource.namespace}/${resource.name}`,
      made.get(resource, [], () => ({ ...resource.spec, source: provenanceOf(resource) })),
    ]),
  );
}

/** The end of the name of a Secret that holds what verifies clients of the Secret before it. */
const trustSuffix = "-cacert";

/** The certificate and key that a credential name means in a namespace. */
export function certificateOf(
  secrets: TlsSecrets,
  namespace: string,
  name: string,
): TlsSecret["certificate"] {
  return secrets.get(`${namespace}/${name}`)?.certificate;
}

/** What verifies clients under that name: of the Secret itself, else of `<name>-cacert` beside it. */
export function trustOf(secrets: TlsSecrets, namespace: string, name: string): TlsSecret["trust"] {
  const own = secrets.get(`${namespace}/${name}`)?.trust;
  return own ?? secrets.get(`${namespace}/${name}${trustSuffix}`)?.trust;
}

/** Whether a server has all that it shows and verifies with: it answers nobody otherwise. */
export function canServe(server: GatewayServer, namespace: string, secrets: TlsSecrets): boolean {
  const trust = server.tls?.trust;
  const isUnverifiable = trust !== undefined && "bundle" in trust && trust.roots === "";
  return !isUnverifiable && missingOf(server, namespace, secrets).length === 0;
}

/** Secrets a server needs of its gateway's namespace, and that are not there: it answers nobody without them. */
export function missingOf({ tls }: GatewayServer, namespace: string, secrets: TlsSecrets): string[] {
  if (!tls) return [];
  const lacking = tls.certificates.flatMap((certificate) =>
    "secret" in certificate && !certificateOf(secrets, certificate.namespace ?? namespace, certificate.secret)
      ? [`Secret ${certificate.namespace ?? namespace}/${certificate.secret} with a certificate and its key`]
      : [],
  );
  const { trust } = tls;
  if (trust && "secret" in trust && !trustOf(secrets, namespace, trust.secret))
    lacking.push(`ca.crt in Secret ${namespace}/${trust.secret} or ${trust.secret}-cacert`);
  return lacking;
}

/** Whether a namespace lacks what a DestinationRule names: what verifies the server, or the certificate to show. */
export function lacksCredential(
  { mode, credentialName = "" }: Pick<ClientTlsSpec, "mode" | "credentialName">,
  namespace: string,
  secrets: TlsSecrets,
): boolean {
  if (trustOf(secrets, namespace, credentialName) === undefined) return true;
  return mode === "MUTUAL" && certificateOf(secrets, namespace, credentialName) === undefined;
}
