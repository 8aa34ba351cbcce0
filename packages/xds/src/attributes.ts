import type { CelAttribute, CelScope, CelType } from "@weft/base/cel/cel-type";

/**
 * What expressions of access logs and metrics may name, of Envoy's attributes:
 * what both data planes know. Times and durations are not among them.
 *
 * @see https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes
 */
export const attributeTypes = {
  "request.path": "string",
  "request.url_path": "string",
  "request.query": "string",
  "request.host": "string",
  "request.scheme": "string",
  "request.method": "string",
  "request.headers": "map",
  "request.referer": "string",
  "request.useragent": "string",
  "request.id": "string",
  "request.protocol": "string",
  "request.size": "int",
  "request.total_size": "int",
  "response.code": "int",
  "response.code_details": "string",
  "response.grpc_status": "int",
  "response.headers": "map",
  "response.trailers": "map",
  "response.size": "int",
  "source.address": "string",
  "source.port": "int",
  "destination.address": "string",
  "destination.port": "int",
  "connection.id": "int",
  "connection.mtls": "bool",
  "connection.requested_server_name": "string",
  "connection.tls_version": "string",
  "connection.subject_peer_certificate": "string",
  "connection.uri_san_peer_certificate": "string",
  "connection.dns_san_peer_certificate": "string",
  "connection.uri_san_local_certificate": "string",
  "connection.termination_details": "string",
  "upstream.address": "string",
  "upstream.port": "int",
  "upstream.local_address": "string",
  "upstream.subject_peer_certificate": "string",
  "upstream.uri_san_peer_certificate": "string",
  "upstream.dns_san_peer_certificate": "string",
  "upstream.transport_failure_reason": "string",
  "upstream.request_attempt_count": "int",
  "xds.cluster_name": "string",
  "xds.route_name": "string",
  "xds.node.id": "string",
  "xds.node.cluster": "string",
  "xds.node.metadata": "map",
} as const satisfies Readonly<Record<string, CelType>>;

export type AttributeName = keyof typeof attributeTypes;

const prefixes: ReadonlySet<string> = new Set(
  Object.keys(attributeTypes).flatMap((name) => {
    const parts = name.split(".");
    return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("."));
  }),
);

/** Expressions over these attributes; `regex` compiles a pattern in RE2 syntax that is found anywhere. */
export function attributeScope<S>(
  readerOf: (name: AttributeName) => CelAttribute<S>["read"],
  regex: CelScope<S>["regex"],
  makesText: boolean,
): CelScope<S> {
  return {
    attribute(name) {
      if (!Object.hasOwn(attributeTypes, name)) return undefined;
      const known = name as AttributeName;
      return { type: attributeTypes[known], read: readerOf(known) };
    },
    isPrefix: (name) => prefixes.has(name),
    makesText,
    regex,
  };
}
