import {
  type CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification as TrustChainVerification,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import type { CommonTlsContext } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import type { SanMatcher } from "../net/tls-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeSans } from "./decode-san.ts";
import { decodeSecretRef } from "./decode-secret-ref.ts";
import { decodeSpiffeValidator } from "./decode-spiffe-validator.ts";
import { readDataSource } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";
import type { SecretRef, TrustMaterial } from "./tls-contexts.ts";

interface Validation {
  readonly trust: TrustMaterial | SecretRef | undefined;
  readonly matchesSan: SanMatcher | undefined;
  readonly acceptsUntrusted?: boolean | undefined;
}

/** What a peer's certificate is verified by, from whichever place it is written in. */
export function decodeValidation(
  common: CommonTlsContext | undefined,
  path: string,
  context: DecodeContext,
): Validation {
  const type = common?.validationContextType;
  switch (type?.case) {
    case "validationContext": {
      const place = at(path, "validation_context");
      return {
        trust: decodeTrust(type.value, place, context.issues),
        matchesSan: decodeSans(type.value, place, context.issues),
        acceptsUntrusted: decodeAcceptance(type.value, type.value.trustedCa !== undefined, place, context),
      };
    }
    case "validationContextSdsSecretConfig":
      return {
        trust: decodeSecretRef(type.value, at(path, "validation_context_sds_secret_config"), context),
        matchesSan: undefined,
      };
    case "combinedValidationContext": {
      const place = at(path, "combined_validation_context");
      const defaults = type.value.defaultValidationContext;
      const config = type.value.validationContextSdsSecretConfig;
      if (defaults?.trustedCa) {
        context.issues.add(
          at(place, "default_validation_context.trusted_ca"),
          "would be replaced by the SDS secret",
          "keep one of them",
        );
      }
      if (defaults?.customValidatorConfig) {
        context.issues.add(
          at(place, "default_validation_context.custom_validator_config"),
          "would be merged with the SDS secret, which is not implemented by this proxy",
          "put all of it into the secret",
        );
      }
      if (!config) context.issues.add(at(place, "validation_context_sds_secret_config"), "is missing");
      return {
        trust: config && decodeSecretRef(config, at(place, "validation_context_sds_secret_config"), context),
        matchesSan: defaults && decodeSans(defaults, at(place, "default_validation_context"), context.issues),
        acceptsUntrusted:
          defaults && decodeAcceptance(defaults, true, at(place, "default_validation_context"), context),
      };
    }
    default:
      return { trust: undefined, matchesSan: undefined };
  }
}

/** Whether certificates that do not verify are let in. What is trusted must be known even so. */
function decodeAcceptance(
  { trustChainVerification, customValidatorConfig }: CertificateValidationContext,
  hasTrust: boolean,
  path: string,
  { issues }: DecodeContext,
): boolean {
  if (trustChainVerification === TrustChainVerification.VERIFY_TRUST_CHAIN) return false;
  const place = at(path, "trust_chain_verification");
  if (customValidatorConfig) {
    issues.add(place, "is for trusted_ca, and another validator is configured", "set one of them");
  } else if (!hasTrust) {
    issues.add(place, "accepts certificates that nothing could verify", "set trusted_ca beside it");
  }
  return true;
}

export function decodeTrust(
  validation: CertificateValidationContext,
  path: string,
  issues: Issues,
): TrustMaterial | undefined {
  if (validation.customValidatorConfig) return decodeSpiffeValidator(validation, path, issues);
  if (!validation.trustedCa) return undefined;
  const ca = readDataSource(validation.trustedCa, at(path, "trusted_ca"), issues);
  const crl = validation.crl && readDataSource(validation.crl, at(path, "crl"), issues);
  return ca && { ca, crl };
}

/** Whether it says more than what is trusted, which inside of a secret has no place here. */
export function expectsMore(validation: CertificateValidationContext): boolean {
  const { matchTypedSubjectAltNames, matchSubjectAltNames, trustChainVerification } = validation;
  const { verifyCertificateHash, verifyCertificateSpki } = validation;
  const lists = [
    matchTypedSubjectAltNames,
    matchSubjectAltNames,
    verifyCertificateHash,
    verifyCertificateSpki,
  ];
  const isUsual = trustChainVerification === TrustChainVerification.VERIFY_TRUST_CHAIN;
  return !isUsual || lists.some((list) => list.length > 0);
}
