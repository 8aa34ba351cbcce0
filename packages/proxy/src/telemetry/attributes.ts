import type { CelAttribute, CelScope } from "@weft/base/cel/cel-type";
import { type AttributeName, attributeScope } from "@weft/xds/attributes";
import type { Exchange } from "../layer/exchange.ts";
import { formatAddress, type SocketAddress } from "../net/socket-address.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import { compileSearch } from "../route/string-matcher.ts";
import { effectiveGrpcStatus } from "./effective-grpc-status.ts";

type Read = CelAttribute<Exchange>["read"];

/** What expressions may ask of the proxy itself. */
export interface AttributeNode {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const orNone = (text: string | undefined) => (text === "" ? undefined : text);
const field =
  (name: string): Read =>
  ({ request }) =>
    request?.headers.get(name);
const text = (address: SocketAddress | undefined) => address && formatAddress(address);
const port = (address: SocketAddress | undefined) => (address?.kind === "ip" ? address.port : undefined);
const peer =
  (read: (identity: PeerIdentity) => string | undefined): Read =>
  ({ connection }) =>
    connection.peer && orNone(read(connection.peer));
const upstreamPeer =
  (read: (identity: PeerIdentity) => string | undefined): Read =>
  ({ upstreamPeer: identity }) =>
    identity && orNone(read(identity));
const client = ({ clientAddress, connection }: Exchange) => clientAddress ?? connection.remote;

const queryAt = (path: string) => path.indexOf("?");

const readers: { readonly [N in Exclude<AttributeName, `xds.node.${string}`>]: Read } = {
  "request.path": ({ request }) => request?.path,
  "request.url_path": ({ request }) => request?.path.split("?", 1)[0],
  "request.query": ({ request }) =>
    request && (queryAt(request.path) < 0 ? "" : request.path.slice(queryAt(request.path) + 1)),
  "request.host": ({ request }) => request?.authority,
  "request.scheme": ({ request }) => request?.scheme,
  "request.method": ({ request }) => request?.method,
  "request.headers": ({ request }) => request?.headers,
  "request.referer": field("referer"),
  "request.useragent": field("user-agent"),
  "request.id": ({ request, requestId }) => request && orNone(requestId),
  "request.protocol": ({ protocol }) => orNone(protocol),
  "request.size": ({ request, bytesReceived }) => request && bytesReceived,
  "request.total_size": ({ request, bytesReceived, requestHeaderBytes }) =>
    request && bytesReceived + requestHeaderBytes,
  "response.code": ({ response }) => response?.status,
  "response.code_details": ({ details }) => orNone(details),
  "response.grpc_status": (exchange) => {
    const status = exchange.response ? effectiveGrpcStatus(exchange) : Number.NaN;
    return Number.isInteger(status) ? status : undefined;
  },
  "response.headers": ({ response }) => response?.headers,
  "response.trailers": ({ responseTrailers }) => responseTrailers,
  "response.size": ({ request, bytesSent }) => request && bytesSent,
  "source.address": (exchange) => text(client(exchange)),
  "source.port": (exchange) => port(client(exchange)),
  "destination.address": ({ connection }) => connection.localText,
  "destination.port": ({ connection }) => port(connection.local),
  "connection.id": ({ connection }) => connection.id,
  "connection.mtls": ({ connection }) => connection.isTls && connection.peer !== undefined,
  "connection.requested_server_name": ({ connection }) => connection.requestedServerName,
  "connection.tls_version": ({ connection }) =>
    connection.isTls ? orNone(connection.tlsVersion) : undefined,
  "connection.subject_peer_certificate": peer(({ subject }) => subject),
  "connection.uri_san_peer_certificate": peer(({ uris }) => uris[0]),
  "connection.dns_san_peer_certificate": peer(({ dnsNames }) => dnsNames[0]),
  "connection.uri_san_local_certificate": ({ connection }) =>
    connection.isTls ? connection.ownUris[0] : undefined,
  "connection.termination_details": ({ connection }) => orNone(connection.terminationDetails),
  "upstream.address": ({ endpoint }) => endpoint?.addressText,
  "upstream.port": ({ endpoint }) => port(endpoint?.address),
  "upstream.local_address": ({ upstreamLocal }) => text(upstreamLocal),
  "upstream.subject_peer_certificate": upstreamPeer(({ subject }) => subject),
  "upstream.uri_san_peer_certificate": upstreamPeer(({ uris }) => uris[0]),
  "upstream.dns_san_peer_certificate": upstreamPeer(({ dnsNames }) => dnsNames[0]),
  "upstream.transport_failure_reason": ({ upstreamTransportFailure }) => orNone(upstreamTransportFailure),
  "upstream.request_attempt_count": ({ attempts }) => attempts,
  "xds.cluster_name": ({ cluster }) => cluster?.name,
  "xds.route_name": ({ match }) => orNone(match?.route.name),
};

/** What expressions are compiled against: exchanges, HTTP or TCP. */
export function exchangeScope(node: AttributeNode, makesText: boolean): CelScope<Exchange> {
  const metadata = {
    get(name: string) {
      const value = Object.hasOwn(node.metadata, name) ? node.metadata[name] : undefined;
      return typeof value === "string" ? value : undefined;
    },
  };
  const own: { readonly [N in Extract<AttributeName, `xds.node.${string}`>]: Read } = {
    "xds.node.id": () => node.id,
    "xds.node.cluster": () => node.cluster,
    "xds.node.metadata": () => metadata,
  };
  const all: { readonly [N in AttributeName]: Read } = { ...readers, ...own };
  return attributeScope((name) => all[name], compileSearch, makesText);
}
