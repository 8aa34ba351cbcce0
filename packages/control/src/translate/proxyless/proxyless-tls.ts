import { create } from "@bufbuild/protobuf";
import { type TransportSocket, TransportSocketSchema } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import { grpcCertificateProvider } from "@weft/xds/proxyless";
import { pack } from "../messages.ts";

const provider = { instanceName: grpcCertificateProvider, certificateName: "" };

/** The files the agent keeps, as the bootstrap names them; the server must prove one of these names (gRFC A29). */
export function proxylessClientTls(
  names: { readonly exact: readonly string[] } | { readonly prefix: string },
) {
  const matchSubjectAltNames =
    "exact" in names
      ? names.exact.map((value) => ({ matchPattern: { case: "exact" as const, value } }))
      : [{ matchPattern: { case: "prefix" as const, value: names.prefix } }];
  const value = pack(UpstreamTlsContextSchema, {
    commonTlsContext: {
      tlsCertificateProviderInstance: provider,
      validationContextType: {
        case: "validationContext",
        value: { caCertificateProviderInstance: provider, matchSubjectAltNames },
      },
    },
  });
  return tlsSocket(value);
}

/** Clients must prove an identity of the mesh's root; which ones are welcome is for policy to say. */
export function proxylessServerTls(): TransportSocket {
  const value = pack(DownstreamTlsContextSchema, {
    requireClientCertificate: true,
    commonTlsContext: {
      tlsCertificateProviderInstance: provider,
      validationContextType: {
        case: "validationContext",
        value: { caCertificateProviderInstance: provider },
      },
    },
  });
  return tlsSocket(value);
}

function tlsSocket(value: ReturnType<typeof pack>): TransportSocket {
  return create(TransportSocketSchema, {
    name: "envoy.transport_sockets.tls",
    configType: { case: "typedConfig", value },
  });
}
