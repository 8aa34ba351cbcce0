import { createHash } from "node:crypto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import type { XdsResource } from "@weft/xds/snapshot";

/**
 * Whom to trust, as agents are told it in Envoy's message: `ROOTCA` (Istio's
 * name), the trust bundle with the root that issues first, `JWKS`, the public
 * keys of JWT-SVIDs, and `BUNDLES`, those of the trust domains the mesh is
 * federated with.
 */
export function trustSecrets(
  bundlePem: string,
  keySet: string,
  bundles: string,
): ReadonlyMap<string, XdsResource> {
  const inline = (value: string) => ({ specifier: { case: "inlineString" as const, value } });
  const secrets = [
    secret("ROOTCA", { case: "validationContext", value: { trustedCa: inline(bundlePem) } }),
    secret("JWKS", { case: "genericSecret", value: { secret: inline(keySet) } }),
    secret("BUNDLES", { case: "genericSecret", value: { secret: inline(bundles) } }),
  ];
  return new Map(secrets.map((one) => [one.name, one]));
}

function secret(name: string, type: MessageInitShape<typeof SecretSchema>["type"]): XdsResource {
  const body = toBinary(SecretSchema, create(SecretSchema, { name, ...(type && { type }) }));
  return { name, version: createHash("sha256").update(body).digest("hex").slice(0, 16), body };
}
