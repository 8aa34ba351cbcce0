import type { Cluster, Endpoint } from "../cluster/cluster.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";
import { formatResponseFlags } from "../layer/response-flag.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import { isGrpc } from "../route/request-matcher.ts";
import type { Attributes, CustomTag, TracingPlan } from "./tracing-plan.ts";

/**
 * Everything said of a request and its answer: under the names Envoy's users
 * look for, and under OpenTelemetry's.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */
export function exchangeAttributes(exchange: Exchange, plan: TracingPlan): Attributes {
  const { request, connection, response, cluster, match } = exchange;
  const { method, scheme, authority, headers } = request!;
  const path = (headers.get("x-envoy-original-path") ?? request!.path).slice(0, plan.maxPathTagLength);
  const userAgent = headers.get("user-agent");
  const status = response?.status ?? 0;
  const peer = addressOf(connection.directRemote ?? connection.remote);
  const attributes: Attributes = [
    ...["component", "proxy", "node_id", plan.node.id, "zone", plan.node.zone],
    ...["guid:x-request-id", exchange.requestId, "http.url", `${scheme}://${authority}${path}`],
    ...["http.method", method, "http.protocol", exchange.protocol, "peer.address", peer],
    ...["downstream_cluster", headers.get("x-envoy-downstream-service-cluster") ?? "-"],
    ...["user_agent", userAgent ?? "-", "response_flags", formatResponseFlags(exchange.flags)],
    ...["request_size", `${exchange.bytesReceived}`, "response_size", `${exchange.bytesSent}`],
    ...["http.status_code", `${status}`],
  ];
  const clientTraceId = headers.get("x-client-trace-id");
  if (clientTraceId !== undefined) attributes.push("guid:x-client-trace-id", clientTraceId);
  if (cluster) pushCluster(attributes, cluster);
  if (status === 0 || status >= 500) attributes.push("error", "true");
  if (isGrpc(request!)) {
    attributes.push("grpc.path", request!.path, "grpc.authority", authority);
    attributes.push("grpc.content_type", headers.get("content-type")!);
    const timeout = headers.get("grpc-timeout");
    if (timeout !== undefined) attributes.push("grpc.timeout", timeout);
    pushGrpcStatus(attributes, exchange.responseTrailers ?? response?.headers);
  }

  const query = path.indexOf("?");
  attributes.push("http.request.method", method, "url.scheme", scheme);
  attributes.push("url.path", query < 0 ? path : path.slice(0, query));
  if (query >= 0) attributes.push("url.query", path.slice(query + 1));
  pushAuthority(attributes, authority);
  if (status > 0) attributes.push("http.response.status_code", status);
  if (status >= 500) attributes.push("error.type", `${status}`);
  attributes.push("network.protocol.version", exchange.protocol.slice("HTTP/".length));
  attributes.push("network.peer.address", peer);
  attributes.push("client.address", addressOf(exchange.clientAddress ?? connection.remote));
  if (userAgent !== undefined) attributes.push("user_agent.original", userAgent);

  if (match?.route.name) attributes.push("route_name", match.route.name);
  if (exchange.details !== "") attributes.push("response_code_details", exchange.details);
  if (exchange.attempts > 1) attributes.push("retry.count", `${exchange.attempts - 1}`);
  return attributes;
}

/** What is said of one attempt at an endpoint. `reason` is why it failed; "" when it did not. */
export function attemptAttributes(
  exchange: Exchange,
  cluster: Cluster,
  endpoint: Endpoint,
  attempt: {
    readonly number: number;
    readonly status: number;
    readonly flags: number;
    readonly reason: string;
    readonly grpc: HeaderList | undefined;
  },
): Attributes {
  const { status, flags, reason, number, grpc } = attempt;
  const { method, authority } = exchange.request!;
  const attributes: Attributes = [
    ...["component", "proxy", "upstream_address", endpoint.addressText, "peer.address", endpoint.addressText],
    ...["http.status_code", `${status}`, "response_flags", formatResponseFlags(flags)],
  ];
  pushCluster(attributes, cluster);
  if (number > 1) attributes.push("retry.count", `${number - 1}`, "http.request.resend_count", number - 1);
  if (status === 0 || status >= 500) attributes.push("error", "true");
  if (reason !== "") attributes.push("error.reason", reason);
  if (grpc && isGrpc(exchange.request!)) pushGrpcStatus(attributes, grpc);

  attributes.push("http.request.method", method);
  pushAuthority(attributes, authority);
  attributes.push("network.peer.address", addressOf(endpoint.address));
  if (status > 0) attributes.push("http.response.status_code", status);
  if (reason !== "" || status >= 400)
    attributes.push("error.type", reason === "" ? `${status}` : reason.replaceAll(" ", "_"));
  return attributes;
}

/** Adds the configured tags; a route's own stand in for those of its connection manager. */
export function pushCustomTags(attributes: Attributes, exchange: Exchange, plan: TracingPlan): void {
  const own = exchange.match?.route.tracing?.customTags;
  for (const tag of plan.customTags) if (!own?.has(tag.name)) pushTag(attributes, exchange, tag);
  if (own) for (const tag of own.values()) pushTag(attributes, exchange, tag);
}

function pushTag(attributes: Attributes, exchange: Exchange, tag: CustomTag): void {
  const value = tag.read(exchange);
  if (value !== undefined) set(attributes, tag.name, value);
}

/** Whether they say so: no answer, one of the server's own failures, or a gRPC status. */
export function isMarkedFailed(attributes: Attributes): boolean {
  for (let i = 0; i < attributes.length; i += 2) if (attributes[i] === "error") return true;
  return false;
}

/** Names are unique: a later value replaces an earlier one. */
function set(attributes: Attributes, name: string, value: string): void {
  for (let i = 0; i < attributes.length; i += 2) {
    if (attributes[i] !== name) continue;
    attributes[i + 1] = value;
    return;
  }
  attributes.push(name, value);
}

function pushCluster(attributes: Attributes, { name, plan }: Cluster): void {
  attributes.push("upstream_cluster", name, "upstream_cluster.name", plan.statName);
}

function pushGrpcStatus(attributes: Attributes, fields: HeaderList | undefined): void {
  const status = fields?.get("grpc-status");
  if (status === undefined) return;
  attributes.push("grpc.status_code", status);
  const message = fields!.get("grpc-message");
  if (message !== undefined) attributes.push("grpc.message", message);
  if (status !== "0") set(attributes, "error", "true");
}

function pushAuthority(attributes: Attributes, authority: string): void {
  const port = /:(\d{1,5})$/.exec(authority)?.[1];
  attributes.push("server.address", port === undefined ? authority : authority.slice(0, -(port.length + 1)));
  if (port !== undefined) attributes.push("server.port", Number(port));
}

function addressOf(address: SocketAddress): string {
  return address.kind === "ip" ? address.host : address.path;
}
