import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import type { XdsResource } from "@weft/xds/snapshot";

/** The trust bundle as agents are told it: Istio's name and Envoy's message, the root that issues first. */
export function trustSecret(bundlePem: string): ReadonlyMap<string, XdsResource> {
  const name = "ROOTCA";
  const trustedCa = { specifier: { case: "inlineString" as const, value: bundlePem } };
  const secret = create(SecretSchema, { name, type: { case: "validationContext", value: { trustedCa } } });
  const body = toBinary(SecretSchema, secret);
  return new Map([
    [name, { name, version: createHash("sha256").update(body).digest("hex").slice(0, 16), body }],
  ]);
}
