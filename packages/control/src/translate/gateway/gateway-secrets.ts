import { create } from "@bufbuild/protobuf";
import { type Secret, SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import type { GatewayRole } from "../../model/gateway.ts";
import { certificateOf, trustOf } from "../../model/tls-secret.ts";
import type { SeenMesh } from "../../model/view.ts";
import { credentialNames } from "../credentials.ts";
import { bundleSecretName, certificateSecretName, trustSecretName } from "./gateway-names.ts";

/**
 * The Secrets that a gateway's servers name, the DestinationRules of the services
 * it calls and its Gateway for its backends: of the gateway's own namespace, or of
 * others that let it have them. What verifies clients is among them. Whoever builds this must
 * give it to nobody but that gateway's verified identity.
 */
export function gatewaySecrets(
  { listeners, backendCertificate }: GatewayRole,
  namespace: string,
  { secrets, services }: Pick<SeenMesh, "secrets" | "services">,
): Secret[] {
  const found = new Map<string, Secret>();
  const addCertificate = (secret: string, other?: string) => {
    const name = certificateSecretName(secret, other);
    const certificate = certificateOf(secrets, other ?? namespace, secret);
    if (certificate) found.set(name, certificateSecret(name, certificate.chain, certificate.key.reveal()));
  };
  const addTrust = (secret: string) => {
    const name = trustSecretName(secret);
    const trust = trustOf(secrets, namespace, secret);
    if (trust) found.set(name, trustSecret(name, trust.ca, trust.crl));
  };
  for (const { tls } of listeners.flatMap(({ servers }) => servers)) {
    for (const source of tls?.certificates ?? []) {
      if ("secret" in source) addCertificate(source.secret, source.namespace);
    }
    const trust = tls?.trust;
    if (trust && "secret" in trust) addTrust(trust.secret);
    if (trust && "bundle" in trust && trust.roots !== "") {
      const name = bundleSecretName(trust.bundle);
      found.set(name, trustSecret(name, trust.roots, undefined));
    }
  }
  if (backendCertificate) addCertificate(backendCertificate.secret, backendCertificate.namespace);
  for (const secret of [...services.values()].flatMap(credentialNames)) {
    addCertificate(secret);
    addTrust(secret);
  }
  return [...found.values()];
}

function certificateSecret(name: string, chain: string, key: string): Secret {
  const value = { certificateChain: inline(chain), privateKey: inline(key) };
  return create(SecretSchema, { name, type: { case: "tlsCertificate", value } });
}

function trustSecret(name: string, ca: string, crl: string | undefined): Secret {
  const value = { trustedCa: inline(ca), ...(crl ? { crl: inline(crl) } : {}) };
  return create(SecretSchema, { name, type: { case: "validationContext", value } });
}

function inline(text: string) {
  return {
    specifier: { case: "inlineBytes" as const, value: Uint8Array.from(Buffer.from(text, "latin1")) },
  };
}
