import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  type CertificateValidationContext,
  CertificateValidationContextSchema,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import { SPIFFECertValidatorConfigSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb";
import type { TrustMaterial } from "./tls-contexts.ts";

/** The message that says what this trust material was read from: the inverse of `decodeTrust`. */
export function validationContext({ ca, crl, domains }: TrustMaterial): CertificateValidationContext {
  const trusted: MessageInitShape<typeof CertificateValidationContextSchema> = domains
    ? {
        customValidatorConfig: {
          name: "envoy.tls.cert_validator.spiffe",
          typedConfig: anyPack(
            SPIFFECertValidatorConfigSchema,
            create(SPIFFECertValidatorConfigSchema, {
              trustDomains: domains.map(({ name, roots }) => ({ name, trustBundle: inline(roots) })),
            }),
          ),
        },
      }
    : { trustedCa: inline(ca) };
  return create(CertificateValidationContextSchema, { ...trusted, ...(crl ? { crl: inline(crl) } : {}) });
}

function inline(bytes: Buffer) {
  return { specifier: { case: "inlineBytes" as const, value: new Uint8Array(bytes) } };
}
