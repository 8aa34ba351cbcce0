import type { Message } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { safeCipherSuites } from "@weft/base/cipher-suites";
import { messageOf } from "@weft/base/errors";
import type { TransportSocket } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  TlsParameters_TlsProtocol as Protocol,
  type TlsCertificate,
  type TlsParameters,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import type { Secret } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import type {
  CommonTlsContext,
  DownstreamTlsContext,
  UpstreamTlsContext,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import type { DownstreamTlsPlan, SanMatcher, TlsContextSource, UpstreamTlsPlan } from "../net/tls-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeSecretRef } from "./decode-secret-ref.ts";
import { decodeSessions } from "./decode-tls-sessions.ts";
import { decodeTrust, decodeValidation, expectsMore } from "./decode-validation.ts";
import { readDataSource } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";
import type { CertificateMaterial, SecretMaterial, SecretRef, TlsMaterial } from "./tls-contexts.ts";

/**
 * Envoy's default. Hybrids with ML-KEM may be named in `ecdh_curves`; they cost
 * a tenth more CPU per handshake.
 */
const defaultCurves = ["X25519", "P-256"] as const;

/** What is inside a transport socket: plaintext is `undefined`, anything unknown has been reported elsewhere. */
function unpackSocket(socket: TransportSocket | undefined): Message | undefined {
  const config = socket?.configType;
  return config?.case === "typedConfig" ? unpackAny(config.value as Any) : undefined;
}

export function decodeDownstreamTls(
  socket: TransportSocket | undefined,
  path: string,
  context: DecodeContext,
): DownstreamTlsPlan | undefined {
  const message = unpackSocket(socket);
  if (!requireConfig(socket, message, path, context.issues)) return undefined;
  if (message?.$typeName === "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer") return undefined;
  const place = at(path, "typed_config");
  if (message?.$typeName !== "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext") {
    context.issues.add(place, `${message?.$typeName} is not a downstream transport socket`);
    return undefined;
  }
  const tls = message as DownstreamTlsContext;
  const common = decodeCommon(
    tls.commonTlsContext,
    at(place, "common_tls_context"),
    context,
    decodeSessions(tls, place, context.issues),
  );
  const requireClientCertificate = tls.requireClientCertificate ?? false;
  if (common.material.certificates.length === 0) {
    context.issues.add(
      at(place, "common_tls_context"),
      "has no certificate",
      "set tls_certificates or their SDS config",
    );
  }
  if (requireClientCertificate && !common.material.trust) {
    context.issues.add(
      at(place, "require_client_certificate"),
      "needs something to verify client certificates with",
      "set validation_context.trusted_ca",
    );
  }
  return {
    context: common.source,
    requireClientCertificate,
    verifiesClients: common.material.trust !== undefined,
    acceptsUntrusted: common.acceptsUntrusted,
    alpnProtocols: tls.commonTlsContext?.alpnProtocols ?? [],
    matchesSan: common.matchesSan,
  };
}

/** Undefined is plaintext. */
export function decodeUpstreamTls(
  socket: TransportSocket | undefined,
  path: string,
  context: DecodeContext,
): UpstreamTlsPlan | undefined {
  const message = unpackSocket(socket);
  if (!requireConfig(socket, message, path, context.issues)) return undefined;
  if (message?.$typeName === "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer") return undefined;
  const place = at(path, "typed_config");
  if (message?.$typeName !== "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext") {
    context.issues.add(place, `${message?.$typeName} is not an upstream transport socket`);
    return undefined;
  }
  const tls = message as UpstreamTlsContext;
  const common = decodeCommon(tls.commonTlsContext, at(place, "common_tls_context"), context);
  if (common.acceptsUntrusted) {
    context.issues.add(
      at(place, "common_tls_context"),
      "accepts servers that do not verify, which is not implemented by this proxy",
      "set no validation context to verify nobody",
    );
  }
  if ((common.matchesSan || tls.autoSniSanValidation) && !common.material.trust) {
    context.issues.add(
      at(place, "common_tls_context"),
      "matches names of certificates that nothing verifies",
      "set trusted_ca beside match_typed_subject_alt_names",
    );
  }
  return {
    context: common.source,
    sni: tls.sni || undefined,
    asksForHostname: tls.autoHostSni,
    verifiesServerName: tls.autoSniSanValidation,
    maxSessions: tls.maxSessionKeys,
    alpnProtocols: tls.commonTlsContext?.alpnProtocols ?? [],
    verifiesPeer: common.material.trust !== undefined,
    matchesSan: common.matchesSan,
  };
}

/** False when there is nothing more to decode: plaintext by default, or a mistake that has been reported. */
function requireConfig(
  socket: TransportSocket | undefined,
  message: Message | undefined,
  path: string,
  issues: Issues,
): boolean {
  if (!socket) return false;
  if (socket.configType.case !== "typedConfig") issues.add(path, "needs `typed_config`");
  return message !== undefined;
}

interface Common {
  readonly material: TlsMaterial;
  readonly source: TlsContextSource;
  readonly matchesSan: SanMatcher | undefined;
  readonly acceptsUntrusted: boolean;
}

const absent: TlsContextSource = { current: undefined, generation: 0 };

function decodeCommon(
  common: CommonTlsContext | undefined,
  path: string,
  context: DecodeContext,
  sessions: Partial<TlsMaterial["options"]> = {},
): Common {
  const before = context.issues.all.length;
  const certificates: (CertificateMaterial | SecretRef)[] = [
    ...(common?.tlsCertificates ?? []).flatMap(
      (certificate, i) =>
        decodeCertificate(certificate, `${at(path, "tls_certificates")}[${i}]`, context.issues) ?? [],
    ),
    ...(common?.tlsCertificateSdsSecretConfigs ?? []).flatMap(
      (config, i) =>
        decodeSecretRef(config, `${at(path, "tls_certificate_sds_secret_configs")}[${i}]`, context) ?? [],
    ),
  ];
  const validation = decodeValidation(common, path, context);
  const material: TlsMaterial = {
    options: {
      ...decodeParameters(common?.tlsParams, at(path, "tls_params"), context.issues),
      ...sessions,
    },
    certificates,
    trust: validation.trust,
  };
  let source = absent;
  if (context.issues.all.length === before) {
    try {
      source = context.tls.source(material);
    } catch (error) {
      context.issues.add(
        path,
        `TLS material is not usable: ${messageOf(error)}`,
        "check the PEM text and that key and certificate belong together",
      );
    }
  }
  const { matchesSan, acceptsUntrusted = false } = validation;
  return { material, source, matchesSan, acceptsUntrusted };
}

export function decodeCertificate(
  certificate: TlsCertificate,
  path: string,
  issues: Issues,
): CertificateMaterial | undefined {
  const chain = readDataSource(certificate.certificateChain, at(path, "certificate_chain"), issues);
  const key = readDataSource(certificate.privateKey, at(path, "private_key"), issues);
  const password = certificate.password && readDataSource(certificate.password, at(path, "password"), issues);
  return chain && key ? { chain, key, password: password?.toString("utf8") } : undefined;
}

/** Decodes an SDS resource. */
export function decodeSecret(secret: Secret, path: string, issues: Issues): SecretMaterial | undefined {
  const { type } = secret;
  switch (type.case) {
    case "tlsCertificate": {
      const certificate = decodeCertificate(type.value, at(path, "tls_certificate"), issues);
      return certificate && { kind: "certificate", certificate };
    }
    case "validationContext": {
      const place = at(path, "validation_context");
      if (expectsMore(type.value)) {
        issues.add(
          place,
          "says what to expect of a certificate, which is not implemented inside a secret",
          "put it into default_validation_context of the combined_validation_context",
        );
      }
      const trust = decodeTrust(type.value, place, issues);
      if (!trust && !type.value.customValidatorConfig) issues.add(at(place, "trusted_ca"), "is missing");
      return trust && { kind: "trust", trust };
    }
    default:
      issues.add(path, "needs `tls_certificate` or `validation_context`");
      return undefined;
  }
}

const versions: Readonly<Partial<Record<Protocol, "TLSv1.2" | "TLSv1.3">>> = {
  [Protocol.TLSv1_2]: "TLSv1.2",
  [Protocol.TLSv1_3]: "TLSv1.3",
};

function decodeParameters(
  params: TlsParameters | undefined,
  path: string,
  issues: Issues,
): TlsMaterial["options"] {
  const version = (value: Protocol, fallback: "TLSv1.2" | "TLSv1.3", field: string) => {
    if (value === Protocol.TLS_AUTO) return fallback;
    const known = versions[value];
    if (!known) issues.add(at(path, field), `${Protocol[value]} is not offered`, "use TLSv1_2 or TLSv1_3");
    return known ?? fallback;
  };
  const minVersion = version(
    params?.tlsMinimumProtocolVersion ?? Protocol.TLS_AUTO,
    "TLSv1.2",
    "tls_minimum_protocol_version",
  );
  const maxVersion = version(
    params?.tlsMaximumProtocolVersion ?? Protocol.TLS_AUTO,
    "TLSv1.3",
    "tls_maximum_protocol_version",
  );
  if (minVersion > maxVersion) issues.add(path, "the lowest version is above the highest");
  return {
    minVersion,
    maxVersion,
    ciphers: params?.cipherSuites.length
      ? params.cipherSuites.map((suite) => suite.replace(/^\[(.*)\]$/, "$1").replaceAll("|", ":")).join(":")
      : safeCipherSuites,
    ...(params && params.signatureAlgorithms.length > 0
      ? { sigalgs: params.signatureAlgorithms.join(":") }
      : {}),
    ecdhCurve: (params?.ecdhCurves.length ? params.ecdhCurves : defaultCurves).join(":"),
  };
}
