import { messageOf } from "@weft/base/errors";
import type { CertificateValidationContext } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import type { SPIFFECertValidatorConfig } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb";
import { type DomainRoots, domainAnchors, readRoots } from "../net/domain-anchors.ts";
import { readDataSource } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";
import type { TrustMaterial } from "./tls-contexts.ts";

const trustDomainName = /^[a-z0-9._-]{1,255}$/;

/**
 * Verifies certificates by the trust domain of their SPIFFE ID: each under the
 * roots of its own domain, and none without such an ID.
 *
 * @see envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig
 */
export function decodeSpiffeValidator(
  validation: CertificateValidationContext,
  path: string,
  issues: Issues,
): TrustMaterial | undefined {
  const place = at(path, "custom_validator_config.typed_config");
  const any = validation.customValidatorConfig?.typedConfig;
  const message = any && unpackAny(any);
  if (message?.$typeName !== "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig") {
    issues.add(
      place,
      "is no validator that is implemented by this proxy",
      "use envoy.tls.cert_validator.spiffe",
    );
    return undefined;
  }
  for (const field of ["trustedCa", "crl"] as const) {
    if (validation[field]) {
      const name = field === "crl" ? "crl" : "trusted_ca";
      issues.add(at(path, name), "is not looked at beside a SPIFFE validator", "keep one of them");
    }
  }
  const { trustDomains } = message as SPIFFECertValidatorConfig;
  if (trustDomains.length === 0) issues.add(at(place, "trust_domains"), "names no trust domain");
  const domains = new Map<string, DomainRoots>();
  trustDomains.forEach(({ name, trustBundle }, i) => {
    const where = `${at(place, "trust_domains")}[${i}]`;
    if (!trustDomainName.test(name)) issues.add(at(where, "name"), "is not the name of a trust domain");
    if (domains.has(name)) issues.add(at(where, "name"), `there are several bundles for ${name}`);
    const bundle = at(where, "trust_bundle");
    const roots = readDataSource(trustBundle, bundle, issues);
    if (!trustBundle) issues.add(bundle, "is missing");
    if (!roots) return;
    try {
      readRoots(roots);
      domains.set(name, { name, roots });
    } catch (error) {
      issues.add(bundle, `is not usable: ${messageOf(error)}`);
    }
  });
  if (domains.size < trustDomains.length || domains.size === 0) return undefined;
  try {
    return { ca: domainAnchors([...domains.values()]), crl: undefined, domains: [...domains.values()] };
  } catch (error) {
    issues.add(at(place, "trust_domains"), `is not usable: ${messageOf(error)}`);
    return undefined;
  }
}
