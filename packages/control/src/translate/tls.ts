import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { accessLogMetrics } from "@weft/xds/access-log-metrics";
import { type TransportSocket, TransportSocketSchema } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  ApiConfigSource_ApiType as ApiType,
  ApiVersion,
  type ConfigSourceSchema,
} from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import { RawBufferSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb";
import {
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcherSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import type { MeshOptions } from "../model/mesh-options.ts";
import type { ClientTls } from "../model/traffic-policy.ts";
import type { Credentials } from "./credentials.ts";
import { certificateSecretName, trustSecretName } from "./gateway/gateway-names.ts";
import { adsSource, duration, pack } from "./messages.ts";

type San = MessageInitShape<typeof SubjectAltNameMatcherSchema>;
type CommonTls = MessageInitShape<typeof CommonTlsContextSchema>;

export const tlsSocketName = "envoy.transport_sockets.tls";

export function plaintextSocket(): TransportSocket {
  return create(TransportSocketSchema, {
    name: "envoy.transport_sockets.raw_buffer",
    configType: { case: "typedConfig", value: pack(RawBufferSchema, {}) },
  });
}

/**
 * What a peer of the mesh must present: a certificate of the trust bundle for
 * an identity of this trust domain or one that it is federated with. `alpn` is in the server's order of choice.
 */
export function inboundTls(options: MeshOptions, alpn: readonly string[]): TransportSocket {
  const domains = peerDomains(options).map(
    (domain): San => ({
      sanType: SanType.URI,
      matcher: { matchPattern: { case: "prefix", value: `spiffe://${domain}/` } },
    }),
  );
  return create(TransportSocketSchema, {
    name: tlsSocketName,
    configType: {
      case: "typedConfig",
      value: pack(DownstreamTlsContextSchema, {
        commonTlsContext: meshTls(alpn, domains),
        requireClientCertificate: true,
      }),
    },
  });
}

export interface MeshPeer {
  readonly serverName: string;
  /** The service's own namespace, for when no endpoint has told an identity yet. */
  readonly namespace: string;
  readonly identities: readonly string[];
  readonly alpn: readonly string[];
}

/**
 * The identities of trust domains that are known here. A connection to any other
 * one could not be made, and one that stands from before ends, since what is
 * written of the cluster is another thing then.
 */
function provable(identities: readonly string[], options: MeshOptions): readonly string[] {
  const domains = peerDomains(options);
  const known = identities.filter((name) => {
    const [, domain] = /^spiffe:\/\/([^/]*)/.exec(name) ?? [];
    return domain === undefined || domains.includes(domain);
  });
  // Nobody's: no SPIFFE ID ends in a slash.
  return known.length > 0 ? known : [`spiffe://${options.trustDomain}/`];
}

/** The trust domains whose identities are verified. */
function peerDomains({ trustDomain, trustDomainAliases, federated }: MeshOptions): readonly string[] {
  return [trustDomain, ...trustDomainAliases, ...federated];
}

/**
 * Mutual TLS to workloads of the mesh: the peer must prove one of the service's
 * identities. While none is known, only identities of its namespace are taken.
 */
export function outboundMeshTls(peer: MeshPeer, options: MeshOptions): TransportSocket {
  const inNamespace = `spiffe://${options.trustDomain}/ns/${peer.namespace}/sa/`;
  const sans: San[] =
    peer.identities.length > 0
      ? provable(peer.identities, options).map(exactName)
      : [{ sanType: SanType.URI, matcher: { matchPattern: { case: "prefix", value: inNamespace } } }];
  return create(TransportSocketSchema, {
    name: tlsSocketName,
    configType: {
      case: "typedConfig",
      value: pack(UpstreamTlsContextSchema, {
        commonTlsContext: meshTls(peer.alpn, sans),
        sni: peer.serverName,
      }),
    },
  });
}

/**
 * TLS to a server outside the mesh (`SIMPLE`, `MUTUAL`), verified against its
 * host unless told otherwise. Secrets are for gateways; a sidecar goes without
 * what a `credentialName` would give it, and verifies by the system's authorities.
 */
export function outboundServerTls(
  tls: ClientTls,
  server: { readonly host: string; readonly names: readonly string[]; readonly alpn: readonly string[] },
  options: MeshOptions,
  credentials: Pick<Credentials, "forBackends"> | undefined,
): TransportSocket {
  const secret = credentials && tls.credentialName;
  const shown = tls.showsGatewayCertificate
    ? credentials?.forBackends
    : tls.mode === "MUTUAL" && secret
      ? certificateSecretName(secret)
      : undefined;
  const sni = tls.sni || (server.host.startsWith("*") ? "" : server.host);
  const names = tls.subjectAltNames?.length ? tls.subjectAltNames : server.names;
  const expected = names.length > 0 ? names : sni === "" ? [] : [sni];
  const common: CommonTls = { tlsParams: tlsParams(), alpnProtocols: [...server.alpn] };
  const matchTypedSubjectAltNames = expected.map(nameMatch);
  if (secret && !tls.insecureSkipVerify) {
    const config = { name: trustSecretName(secret), sdsConfig: adsSource() };
    const value = {
      defaultValidationContext: { matchTypedSubjectAltNames },
      validationContextSdsSecretConfig: config,
    };
    common.validationContextType = { case: "combinedValidationContext", value };
  } else if (!tls.insecureSkipVerify) {
    common.validationContextType = {
      case: "validationContext",
      value: {
        trustedCa: tls.rootsPem
          ? { specifier: { case: "inlineString", value: tls.rootsPem } }
          : file(tls.caCertificates || options.defaults.systemCaFile),
        ...(tls.caCrl ? { crl: file(tls.caCrl) } : {}),
        matchTypedSubjectAltNames,
      },
    };
  }
  if (shown) {
    common.tlsCertificateSdsSecretConfigs = [{ name: shown, sdsConfig: adsSource() }];
  } else if (tls.mode === "MUTUAL" && tls.clientCertificate) {
    common.tlsCertificates = [
      { certificateChain: file(tls.clientCertificate!), privateKey: file(tls.privateKey!) },
    ];
  }
  return create(TransportSocketSchema, {
    name: tlsSocketName,
    configType: {
      case: "typedConfig",
      value: pack(UpstreamTlsContextSchema, { commonTlsContext: common, sni }),
    },
  });
}

/** `*.` stands for any name below. */
function nameMatch(name: string): San {
  if (!name.startsWith("*.")) return exactName(name);
  return { sanType: SanType.DNS, matcher: { matchPattern: { case: "suffix", value: name.slice(1) } } };
}

export function exactName(name: string): San {
  const sanType = name.includes("://") ? SanType.URI : SanType.DNS;
  return { sanType, matcher: { matchPattern: { case: "exact", value: name } } };
}

/** The certificate and the trust bundle of a member of the mesh. */
function meshTls(alpn: readonly string[], sans: readonly San[]): CommonTls {
  return {
    tlsParams: tlsParams(),
    alpnProtocols: [...alpn],
    tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: sdsSource() }],
    validationContextType: {
      case: "combinedValidationContext",
      value: {
        defaultValidationContext: { matchTypedSubjectAltNames: [...sans] },
        validationContextSdsSecretConfig: { name: "ROOTCA", sdsConfig: sdsSource() },
      },
    },
  };
}

function tlsParams() {
  return { tlsMinimumProtocolVersion: TlsProtocol.TLSv1_2 };
}

/** A file on the proxy's own machine. */
export function file(filename: string) {
  return { specifier: { case: "filename" as const, value: filename } };
}

/** The agent's socket, which every bootstrap names `sds-grpc`. */
function sdsSource(): MessageInitShape<typeof ConfigSourceSchema> {
  return {
    resourceApiVersion: ApiVersion.V3,
    initialFetchTimeout: duration(0),
    configSourceSpecifier: {
      case: "apiConfigSource",
      value: {
        apiType: ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [
          { targetSpecifier: { case: "envoyGrpc", value: { clusterName: accessLogMetrics.cluster } } },
        ],
      },
    },
  };
}
