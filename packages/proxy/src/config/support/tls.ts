import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the messages of transport sockets. */
export function tlsSupport(): Record<string, MessageSupport> {
  const p = "envoy.extensions.transport_sockets.tls.v3.";
  return {
    "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer": { implemented: "" },
    "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport": {
      implemented: "config transport_socket",
      harmless: { tlv_as_pool_key: "a connection is never shared between clients" },
      neutral: "allow_unspecified_address",
    },
    "envoy.config.core.v3.ProxyProtocolConfig": { implemented: "version pass_through_tlvs added_tlvs" },
    "envoy.config.core.v3.TlvEntry": { implemented: "type value" },
    [`${p}UpstreamTlsContext`]: {
      implemented: "common_tls_context sni auto_host_sni auto_sni_san_validation max_session_keys",
      harmless: {
        enforce_rsa_key_usage: "key usage is always enforced",
      },
      neutral: "allow_renegotiation",
    },
    [`${p}DownstreamTlsContext`]: {
      implemented:
        "common_tls_context require_client_certificate prefer_client_ciphers disable_stateless_session_resumption session_timeout session_ticket_keys",
      harmless: {
        disable_stateful_session_resumption: "sessions are resumed by ticket only",
      },
      neutral: "require_sni ocsp_staple_policy full_scan_certs_on_sni_mismatch",
    },
    [`${p}CommonTlsContext`]: {
      implemented:
        "tls_params tls_certificates tls_certificate_sds_secret_configs validation_context validation_context_sds_secret_config combined_validation_context alpn_protocols",
    },
    [`${p}CommonTlsContext.CombinedCertificateValidationContext`]: {
      implemented: "default_validation_context validation_context_sds_secret_config",
    },
    [`${p}TlsParameters`]: {
      implemented:
        "tls_minimum_protocol_version tls_maximum_protocol_version cipher_suites ecdh_curves signature_algorithms",
    },
    [`${p}TlsCertificate`]: { implemented: "certificate_chain private_key password" },
    [`${p}CertificateValidationContext`]: {
      implemented:
        "trusted_ca custom_validator_config match_typed_subject_alt_names match_subject_alt_names crl verify_certificate_hash verify_certificate_spki trust_chain_verification",
      neutral: "allow_expired_certificate only_verify_leaf_cert_crl require_signed_certificate_timestamp",
    },
    [`${p}SPIFFECertValidatorConfig`]: { implemented: "trust_domains" },
    [`${p}SPIFFECertValidatorConfig.TrustDomain`]: { implemented: "name trust_bundle" },
    [`${p}TlsSessionTicketKeys`]: { implemented: "keys" },
    [`${p}SubjectAltNameMatcher`]: { implemented: "san_type matcher" },
    [`${p}SdsSecretConfig`]: { implemented: "name sds_config" },
    [`${p}Secret`]: { implemented: "name tls_certificate validation_context" },
  };
}
