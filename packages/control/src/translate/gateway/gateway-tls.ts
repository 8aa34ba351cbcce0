import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type TransportSocket, TransportSocketSchema } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  type CertificateValidationContextSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
  CertificateValidationContext_TrustChainVerification as TrustChainVerification,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import type { ServerTls, TlsVersion } from "../../model/gateway.ts";
import type { MeshOptions } from "../../model/mesh-options.ts";
import { adsSource, pack } from "../messages.ts";
import { exactName, file, inboundTls, tlsSocketName } from "../tls.ts";
import { bundleSecretName, certificateSecretName, trustSecretName } from "./gateway-names.ts";

type CommonTls = Exclude<MessageInitShape<typeof CommonTlsContextSchema>, { $typeName: string }>;
type Validation = Exclude<MessageInitShape<typeof CertificateValidationContextSchema>, { $typeName: string }>;

const versions: Readonly<Record<TlsVersion, TlsProtocol>> = {
  "1.2": TlsProtocol.TLSv1_2,
  "1.3": TlsProtocol.TLSv1_3,
};

/** Ends TLS as one server of a Gateway says. */
export function gatewayTls(tls: ServerTls, alpn: readonly string[], options: MeshOptions): TransportSocket {
  if (tls.clients === "mesh") return inboundTls(options, [...alpn, "istio"]);
  return create(TransportSocketSchema, {
    name: tlsSocketName,
    configType: {
      case: "typedConfig",
      value: pack(DownstreamTlsContextSchema, {
        commonTlsContext: {
          ...certificates(tls),
          ...validation(tls),
          alpnProtocols: [...alpn],
          tlsParams: parameters(tls),
        },
        requireClientCertificate: tls.clients === "verified",
      }),
    },
  });
}

function certificates({ certificates }: ServerTls): CommonTls {
  return {
    tlsCertificates: certificates.flatMap((source) =>
      "secret" in source
        ? []
        : [{ certificateChain: file(source.chainFile), privateKey: file(source.keyFile) }],
    ),
    tlsCertificateSdsSecretConfigs: certificates.flatMap((source) =>
      "secret" in source
        ? [{ name: certificateSecretName(source.secret, source.namespace), sdsConfig: adsSource() }]
        : [],
    ),
  };
}

function validation({ trust, names, hashes, spkis, acceptsUntrusted }: ServerTls): CommonTls {
  if (!trust) return {};
  const expected: Validation = {
    ...(acceptsUntrusted ? { trustChainVerification: TrustChainVerification.ACCEPT_UNTRUSTED } : {}),
    matchTypedSubjectAltNames: names.map(exactName),
    verifyCertificateHash: [...hashes],
    verifyCertificateSpki: [...spkis],
  };
  if (!("caFile" in trust)) {
    const name = "secret" in trust ? trustSecretName(trust.secret) : bundleSecretName(trust.bundle);
    const validationContextSdsSecretConfig = { name, sdsConfig: adsSource() };
    const value = { defaultValidationContext: expected, validationContextSdsSecretConfig };
    return { validationContextType: { case: "combinedValidationContext", value } };
  }
  const crl = trust.crlFile ? { crl: file(trust.crlFile) } : {};
  const value = { ...expected, trustedCa: file(trust.caFile), ...crl };
  return { validationContextType: { case: "validationContext", value } };
}

function parameters({ minVersion, maxVersion, ciphers }: ServerTls) {
  return {
    tlsMinimumProtocolVersion: versions[minVersion ?? "1.2"],
    ...(maxVersion ? { tlsMaximumProtocolVersion: versions[maxVersion] } : {}),
    cipherSuites: [...ciphers],
  };
}
