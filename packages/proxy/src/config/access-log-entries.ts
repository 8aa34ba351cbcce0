import type { MessageInitShape } from "@bufbuild/protobuf";
import { RequestMethod } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  type AccessLogCommonSchema,
  AccessLogType,
  type HTTPAccessLogEntrySchema,
  HTTPAccessLogEntry_HTTPVersion as HttpVersion,
  type ResponseFlagsSchema,
  type TCPAccessLogEntrySchema,
  type TLSPropertiesSchema,
  TLSProperties_TLSVersion as TlsVersion,
} from "@weft/xds/gen/envoy/data/accesslog/v3/accesslog_pb";
import type { Exchange } from "../layer/exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import { requestHeadersBytes, responseHeadersBytes } from "../telemetry/header-operators.ts";
import type { CustomTag } from "../tracing/tracing-plan.ts";
import { addressMessage } from "./address-message.ts";

export type HttpEntry = MessageInitShape<typeof HTTPAccessLogEntrySchema>;
export type TcpEntry = MessageInitShape<typeof TCPAccessLogEntrySchema>;
type Init<T> = Exclude<T, { $typeName: string }>;
type Common = Init<MessageInitShape<typeof AccessLogCommonSchema>>;
type Flags = Init<MessageInitShape<typeof ResponseFlagsSchema>>;
type Duration = NonNullable<Common["duration"]>;

/** Fields beside the usual that an entry carries, in lower case. */
export interface LoggedHeaders {
  readonly request: readonly string[];
  readonly response: readonly string[];
  readonly trailers: readonly string[];
}

const versions: Readonly<Record<Exchange["protocol"], HttpVersion>> = {
  "": HttpVersion.PROTOCOL_UNSPECIFIED,
  "HTTP/1.0": HttpVersion.HTTP10,
  "HTTP/1.1": HttpVersion.HTTP11,
  "HTTP/2": HttpVersion.HTTP2,
};

/** @see envoy.data.accesslog.v3.HTTPAccessLogEntry */
export function httpEntry(
  exchange: Exchange,
  tags: readonly CustomTag[],
  logged: LoggedHeaders,
): Init<HttpEntry> {
  const { request, response, responseTrailers, bytesReceived, bytesSent } = exchange;
  const { headers } = request ?? {};
  const method = RequestMethod[(request?.method ?? "") as keyof typeof RequestMethod];
  return {
    commonProperties: common(exchange, tags, AccessLogType.DownstreamEnd),
    protocolVersion: versions[exchange.protocol],
    request: {
      requestMethod: typeof method === "number" ? method : RequestMethod.METHOD_UNSPECIFIED,
      scheme: request?.scheme ?? "",
      authority: request?.authority ?? "",
      path: request?.path ?? "",
      userAgent: headers?.get("user-agent") ?? "",
      referer: headers?.get("referer") ?? "",
      forwardedFor: headers?.get("x-forwarded-for") ?? "",
      requestId: request ? exchange.requestId : "",
      originalPath: headers?.get("x-envoy-original-path") ?? "",
      requestHeadersBytes: BigInt(requestHeadersBytes(exchange)),
      requestBodyBytes: BigInt(bytesReceived),
      requestHeaders: chosen(headers, logged.request),
    },
    response: {
      ...(response ? { responseCode: response.status } : {}),
      responseHeadersBytes: BigInt(responseHeadersBytes(exchange)),
      responseBodyBytes: BigInt(bytesSent),
      responseHeaders: chosen(response?.headers, logged.response),
      responseTrailers: chosen(responseTrailers, logged.trailers),
      responseCodeDetails: exchange.details,
    },
  };
}

/** @see envoy.data.accesslog.v3.TCPAccessLogEntry */
export function tcpEntry(exchange: Exchange, tags: readonly CustomTag[]): Init<TcpEntry> {
  return {
    commonProperties: common(exchange, tags, AccessLogType[exchange.logType ?? "TcpConnectionEnd"]),
    connectionProperties: {
      receivedBytes: BigInt(exchange.bytesReceived),
      sentBytes: BigInt(exchange.bytesSent),
    },
  };
}

function common(exchange: Exchange, tags: readonly CustomTag[], accessLogType: AccessLogType): Common {
  const { connection, startMs, startEpochMs, endpoint, upstreamLocal, clientAddress } = exchange;
  const since = (ms: number) => (ms > 0 && ms >= startMs ? duration(ms - startMs) : undefined);
  const direct = connection.directRemote ?? connection.remote;
  return {
    downstreamRemoteAddress: addressMessage(clientAddress ?? connection.remote),
    downstreamDirectRemoteAddress: addressMessage(direct),
    downstreamLocalAddress: addressMessage(connection.local),
    ...(connection.isTls ? { tlsProperties: tlsProperties(exchange) } : {}),
    startTime: {
      seconds: BigInt(Math.floor(startEpochMs / 1_000)),
      nanos: Math.round((startEpochMs % 1_000) * 1e6),
    },
    timeToLastRxByte: since(exchange.requestCompleteMs),
    timeToFirstUpstreamRxByte: since(exchange.upstreamFirstByteMs),
    timeToFirstDownstreamTxByte: since(exchange.responseStartMs),
    timeToLastDownstreamTxByte: since(exchange.endMs),
    duration: since(exchange.endMs),
    ...(endpoint ? { upstreamRemoteAddress: addressMessage(endpoint.address) } : {}),
    ...(upstreamLocal ? { upstreamLocalAddress: addressMessage(upstreamLocal) } : {}),
    upstreamCluster: exchange.cluster?.name ?? "",
    ...(exchange.flags === 0 ? {} : { responseFlags: responseFlags(exchange.flags) }),
    upstreamTransportFailureReason: exchange.upstreamTransportFailure,
    routeName: exchange.match?.route.name ?? "",
    customTags: valuesOf(tags, exchange),
    upstreamRequestAttemptCount: exchange.attempts,
    connectionTerminationDetails: connection.terminationDetails,
    streamId: exchange.requestId,
    accessLogType,
  };
}

function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}

function valuesOf(tags: readonly CustomTag[], exchange: Exchange): Record<string, string> {
  const values: Record<string, string> = {};
  for (const { name, read } of tags) {
    const value = read(exchange);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

function chosen(headers: HeaderList | undefined, names: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const name of names) {
    const value = headers?.get(name);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

const tlsVersions: Readonly<Record<string, TlsVersion>> = {
  "TLSv1.2": TlsVersion.TLSv1_2,
  "TLSv1.3": TlsVersion.TLSv1_3,
};

function tlsProperties({ connection }: Exchange): MessageInitShape<typeof TLSPropertiesSchema> {
  const { ownUris, tlsVersion, requestedServerName } = connection;
  const peer = connection.peer ?? connection.unverifiedPeer;
  return {
    tlsVersion: tlsVersions[tlsVersion] ?? TlsVersion.VERSION_UNSPECIFIED,
    tlsSniHostname: requestedServerName,
    localCertificateProperties: { subjectAltName: ownUris.map(uri) },
    ...(peer ? { peerCertificateProperties: { subjectAltName: names(peer), subject: peer.subject } } : {}),
  };
}

const uri = (value: string) => ({ san: { case: "uri" as const, value } });

function names({ uris, dnsNames }: PeerIdentity) {
  return [...uris.map(uri), ...dnsNames.map((value) => ({ san: { case: "dns" as const, value } }))];
}

/** Flags by the field that stands for each; one is no boolean. */
const fields: Readonly<
  Record<Exclude<keyof typeof ResponseFlag, "UnauthorizedExternalService">, keyof Flags>
> = {
  FailedLocalHealthCheck: "failedLocalHealthcheck",
  NoHealthyUpstream: "noHealthyUpstream",
  UpstreamRequestTimeout: "upstreamRequestTimeout",
  LocalReset: "localReset",
  UpstreamRemoteReset: "upstreamRemoteReset",
  UpstreamConnectionFailure: "upstreamConnectionFailure",
  UpstreamConnectionTermination: "upstreamConnectionTermination",
  UpstreamOverflow: "upstreamOverflow",
  NoRouteFound: "noRouteFound",
  DelayInjected: "delayInjected",
  FaultInjected: "faultInjected",
  RateLimited: "rateLimited",
  RateLimitServiceError: "rateLimitServiceError",
  DownstreamConnectionTermination: "downstreamConnectionTermination",
  UpstreamRetryLimitExceeded: "upstreamRetryLimitExceeded",
  StreamIdleTimeout: "streamIdleTimeout",
  InvalidEnvoyRequestHeaders: "invalidEnvoyRequestHeaders",
  DownstreamProtocolError: "downstreamProtocolError",
  UpstreamMaxStreamDurationReached: "upstreamMaxStreamDurationReached",
  NoClusterFound: "noClusterFound",
  OverloadManager: "overloadManager",
  DurationTimeout: "durationTimeout",
  UpstreamProtocolError: "upstreamProtocolError",
};
const fieldOf = Object.entries(fields).map(
  ([name, field]) => [ResponseFlag[name as keyof typeof fields], field] as const,
);

function responseFlags(flags: number): Flags {
  const set = Object.fromEntries(fieldOf.flatMap(([flag, field]) => (flags & flag ? [[field, true]] : [])));
  const isUnauthorized = (flags & ResponseFlag.UnauthorizedExternalService) !== 0;
  return { ...set, ...(isUnauthorized ? { unauthorizedDetails: { reason: 1 } } : {}) };
}
