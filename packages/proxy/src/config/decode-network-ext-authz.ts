import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ExtAuthz } from "@weft/xds/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb";
import {
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
} from "@weft/xds/gen/envoy/service/auth/v3/external_auth_pb";
import {
  type ConnectionVerdict,
  createNetworkExtAuthzFilter,
  networkExtAuthzStats,
} from "../filters/ext-authz/network-ext-authz.ts";
import { callGrpc } from "../filters/grpc-callout.ts";
import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import { type MetadataValue, metadataAt } from "../layer/dynamic-metadata.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import { addressMessage } from "./address-message.ts";
import { checkPath, principalOf } from "./authorization-codec.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeGrpcService } from "./decode-grpc-service.ts";
import { decodeMetadataMatcher } from "./decode-metadata-matcher.ts";
import { at } from "./issues.ts";

const defaultTimeoutMs = 200;

/** @see envoy.extensions.filters.network.ext_authz.v3.ExtAuthz */
export function decodeNetworkExtAuthz(
  message: ExtAuthz,
  name: string,
  path: string,
  context: DecodeContext,
): NetworkFilter {
  const { issues, services } = context;
  const target = decodeGrpcService(message.grpcService, defaultTimeoutMs, at(path, "grpc_service"), context);
  const matcher = message.filterEnabledMetadata;
  const enabled = matcher && decodeMetadataMatcher(matcher, at(path, "filter_enabled_metadata"), issues);
  return createNetworkExtAuthzFilter(
    {
      authorize: (connection, onVerdict) =>
        callGrpc(
          services.callouts,
          target,
          checkPath,
          encodeCheck(connection, message, services.clock.now()),
          (reply) => onVerdict(reply ? decodeVerdict(reply) : { kind: "error" }),
        ),
      allowsOnFailure: message.failureModeAllow,
      isEnabledFor:
        enabled && ((metadata) => enabled.matches(metadataAt(metadata, enabled.filter, enabled.keys))),
    },
    networkExtAuthzStats(services.stats, message.statPrefix),
    name,
  );
}

/** @see envoy.service.auth.v3.CheckRequest */
function encodeCheck(connection: DownstreamConnection, message: ExtAuthz, nowMs: number): Uint8Array {
  const { includePeerCertificate, includeTlsSession, metadataContextNamespaces } = message;
  const { peer, metadata } = connection;
  const shown = metadataContextNamespaces.flatMap((name) => {
    const values = metadata?.get(name);
    return values ? [[name, Object.fromEntries(values)]] : [];
  });
  return toBinary(
    CheckRequestSchema,
    create(CheckRequestSchema, {
      attributes: {
        source: {
          address: addressMessage(connection.remote),
          principal: principalOf(peer),
          ...(includePeerCertificate && peer?.pem ? { certificate: encodeURIComponent(peer.pem) } : {}),
        },
        destination: { address: addressMessage(connection.local), principal: connection.ownUris[0] ?? "" },
        request: { time: { seconds: BigInt(Math.floor(nowMs / 1000)), nanos: (nowMs % 1000) * 1_000_000 } },
        metadataContext: { filterMetadata: Object.fromEntries(shown) as never },
        ...(includeTlsSession && connection.isTls
          ? { tlsSession: { sni: connection.tlsServerName ?? "" } }
          : {}),
      },
    }),
  );
}

function decodeVerdict(bytes: Uint8Array): ConnectionVerdict {
  let response: CheckResponse;
  try {
    response = fromBinary(CheckResponseSchema, bytes);
  } catch {
    return { kind: "error" };
  }
  const values = response.dynamicMetadata as Record<string, MetadataValue> | undefined;
  return {
    kind: (response.status?.code ?? 0) === 0 ? "ok" : "denied",
    metadata: values && new Map(Object.entries(values)),
  };
}
