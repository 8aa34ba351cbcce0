import { create } from "@bufbuild/protobuf";
import { type Secret, SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import type { GatewayRole } from "../../model/gateway.ts";
import { certificateOf, type TlsSecrets, trustOf } from "../../model/tls-secret.ts";
import { certificateSecretName, trustSecretName } from "./gateway-names.ts";

/**
 * The Secrets a gateway's servers name, of the gateway's own namespace. Whoever
 * builds this must give it to nobody but that gateway's verified identity.
 */
export function gatewaySecrets({ listeners }: GatewayRole, namespace: string, secrets: TlsSecrets): Secret[] {
  const found = new Map<string, Secret>();
  for (const { tls } of listeners.flatMap(({ servers }) => servers)) {
    for (const source of tls?.certificates ?? []) {
      if (!("secret" in source)) continue;
      const name = certificateSecretName(source.secret);
      const certificate = certificateOf(secrets, namespace, source.secret);
      if (certificate) found.set(name, certificateSecret(name, certificate.chain, certificate.key.reveal()));
    }
    if (!tls?.trust || !("secret" in tls.trust)) continue;
    const name = trustSecretName(tls.trust.secret);
    const trust = trustOf(secrets, namespace, tls.trust.secret);
    if (trust) found.set(name, trustSecret(name, trust.ca, trust.crl));
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
