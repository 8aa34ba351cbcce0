import {
  createRegistry,
  type DescMessage,
  fromBinary,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { type Any, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { DogStatsdSinkSchema, StatsdSinkSchema } from "@weft/xds/gen/envoy/config/metrics/v3/stats_pb";
import { ActionSchema as RbacActionSchema } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import {
  FilterConfigSchema,
  RouteListSchema,
  RouteSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import { OpenTelemetryConfigSchema } from "@weft/xds/gen/envoy/config/trace/v3/opentelemetry_pb";
import { ZipkinConfigSchema } from "@weft/xds/gen/envoy/config/trace/v3/zipkin_pb";
import { FileAccessLogSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb";
import { ExpressionFilterSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb";
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from "@weft/xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb";
import { OpenTelemetryAccessLogConfigSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb";
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from "@weft/xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb";
import { ClusterConfigSchema } from "@weft/xds/gen/envoy/extensions/clusters/aggregate/v3/cluster_pb";
import { DnsClusterSchema } from "@weft/xds/gen/envoy/extensions/clusters/dns/v3/dns_cluster_pb";
import { BrotliSchema } from "@weft/xds/gen/envoy/extensions/compression/brotli/compressor/v3/brotli_pb";
import { BrotliSchema as BrotliDecompressorSchema } from "@weft/xds/gen/envoy/extensions/compression/brotli/decompressor/v3/brotli_pb";
import { GzipSchema } from "@weft/xds/gen/envoy/extensions/compression/gzip/compressor/v3/gzip_pb";
import { GzipSchema as GzipDecompressorSchema } from "@weft/xds/gen/envoy/extensions/compression/gzip/decompressor/v3/gzip_pb";
import { ZstdSchema } from "@weft/xds/gen/envoy/extensions/compression/zstd/compressor/v3/zstd_pb";
import { ZstdSchema as ZstdDecompressorSchema } from "@weft/xds/gen/envoy/extensions/compression/zstd/decompressor/v3/zstd_pb";
import {
  BasicAuthPerRouteSchema,
  BasicAuthSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/basic_auth/v3/basic_auth_pb";
import {
  BufferPerRouteSchema,
  BufferSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/buffer/v3/buffer_pb";
import {
  CompressorPerRouteSchema,
  CompressorSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/compressor/v3/compressor_pb";
import { CorsPolicySchema, CorsSchema } from "@weft/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb";
import { CsrfPolicySchema } from "@weft/xds/gen/envoy/extensions/filters/http/csrf/v3/csrf_pb";
import { DecompressorSchema } from "@weft/xds/gen/envoy/extensions/filters/http/decompressor/v3/decompressor_pb";
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb";
import { HTTPFaultSchema } from "@weft/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb";
import { FilterConfigSchema as GrpcStatsSchema } from "@weft/xds/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb";
import { GrpcWebSchema } from "@weft/xds/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb";
import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb";
import { ConfigSchema as HeaderToMetadataSchema } from "@weft/xds/gen/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb";
import { HealthCheckSchema } from "@weft/xds/gen/envoy/extensions/filters/http/health_check/v3/health_check_pb";
import {
  JwtAuthenticationSchema,
  PerRouteConfigSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb";
import { LocalRateLimitSchema } from "@weft/xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb";
import {
  PerRouteConfigSchema as OnDemandPerRouteSchema,
  OnDemandSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb";
import {
  RateLimitPerRouteSchema,
  RateLimitSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb";
import { RBACPerRouteSchema, RBACSchema } from "@weft/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb";
import { RouterSchema } from "@weft/xds/gen/envoy/extensions/filters/http/router/v3/router_pb";
import { ConfigSchema as SetMetadataSchema } from "@weft/xds/gen/envoy/extensions/filters/http/set_metadata/v3/set_metadata_pb";
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb";
import { HttpInspectorSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb";
import { OriginalDstSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb";
import { ProxyProtocolSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb";
import { TlsInspectorSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb";
import { ConnectionLimitSchema } from "@weft/xds/gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb";
import { ConfigSchema as DirectResponseSchema } from "@weft/xds/gen/envoy/extensions/filters/network/direct_response/v3/config_pb";
import { EchoSchema } from "@weft/xds/gen/envoy/extensions/filters/network/echo/v3/echo_pb";
import { ExtAuthzSchema as NetworkExtAuthzSchema } from "@weft/xds/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb";
import { HttpConnectionManagerSchema } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { LocalRateLimitSchema as NetworkLocalRateLimitSchema } from "@weft/xds/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb";
import { RBACSchema as NetworkRBACSchema } from "@weft/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb";
import { SniClusterSchema } from "@weft/xds/gen/envoy/extensions/filters/network/sni_cluster/v3/sni_cluster_pb";
import { TcpProxySchema } from "@weft/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb";
import { CookieBasedSessionStateSchema } from "@weft/xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb";
import { HeaderBasedSessionStateSchema } from "@weft/xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb";
import { AllowListedRoutesConfigSchema } from "@weft/xds/gen/envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config_pb";
import { PreviousRoutesConfigSchema } from "@weft/xds/gen/envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config_pb";
import { SafeCrossSchemeConfigSchema } from "@weft/xds/gen/envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config_pb";
import { ClusterProvidedSchema } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided_pb";
import { LeastRequestSchema } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb";
import { MaglevSchema } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb";
import { RandomSchema } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb";
import { RingHashSchema } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb";
import { RoundRobinSchema } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb";
import { SubsetSchema } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb";
import { WrrLocalitySchema } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb";
import {
  ApplicationProtocolInputSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema,
  DirectSourceIPInputSchema,
  DynamicMetadataInputSchema,
  ServerNameInputSchema,
  SourceIPInputSchema,
  SourcePortInputSchema,
  SourceTypeInputSchema,
  TransportProtocolInputSchema,
} from "@weft/xds/gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb";
import {
  DnsSanInputSchema,
  SubjectInputSchema,
  UriSanInputSchema,
} from "@weft/xds/gen/envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs_pb";
import { IpSchema } from "@weft/xds/gen/envoy/extensions/matching/input_matchers/ip/v3/ip_pb";
import { UriTemplateMatchConfigSchema } from "@weft/xds/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb";
import { UriTemplateRewriteConfigSchema } from "@weft/xds/gen/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite_pb";
import { UuidRequestIdConfigSchema } from "@weft/xds/gen/envoy/extensions/request_id/uuid/v3/uuid_pb";
import { DownstreamConnectionsConfigSchema } from "@weft/xds/gen/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb";
import { FixedHeapConfigSchema } from "@weft/xds/gen/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap_pb";
import { OmitCanaryHostsPredicateSchema } from "@weft/xds/gen/envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts_pb";
import { OmitHostMetadataConfigSchema } from "@weft/xds/gen/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config_pb";
import { PreviousHostsPredicateSchema } from "@weft/xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb";
import { PreviousPrioritiesConfigSchema } from "@weft/xds/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb";
import { EnvironmentResourceDetectorConfigSchema } from "@weft/xds/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb";
import { ProxyProtocolUpstreamTransportSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb";
import { RawBufferSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import { SPIFFECertValidatorConfigSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb";
import { HttpProtocolOptionsSchema } from "@weft/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb";
import { HttpRequestHeaderMatchInputSchema } from "@weft/xds/gen/envoy/type/matcher/v3/http_inputs_pb";
import { TypedStructSchema as UdpaTypedStructSchema } from "@weft/xds/gen/udpa/type/v1/typed_struct_pb";
import { ModuleFilterSchema } from "@weft/xds/gen/weft/filters/http/module/v1/module_filter_pb";
import { ServerNameMatcherSchema } from "@weft/xds/gen/xds/type/matcher/v3/domain_pb";
import { IPMatcherSchema } from "@weft/xds/gen/xds/type/matcher/v3/ip_pb";
import { TypedStructSchema } from "@weft/xds/gen/xds/type/v3/typed_struct_pb";

/** Every extension this proxy implements: what may stand in an `Any`. */
export const extensionRegistry: Registry = createRegistry(
  HttpConnectionManagerSchema,
  TcpProxySchema,
  SniClusterSchema,
  ConnectionLimitSchema,
  NetworkExtAuthzSchema,
  NetworkLocalRateLimitSchema,
  DirectResponseSchema,
  EchoSchema,
  ProxyProtocolSchema,
  NetworkRBACSchema,
  RouterSchema,
  RBACSchema,
  RBACPerRouteSchema,
  RbacActionSchema,
  HttpRequestHeaderMatchInputSchema,
  RouteSchema,
  RouteListSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema,
  SourceIPInputSchema,
  SourcePortInputSchema,
  DirectSourceIPInputSchema,
  ServerNameInputSchema,
  SourceTypeInputSchema,
  TransportProtocolInputSchema,
  ApplicationProtocolInputSchema,
  IPMatcherSchema,
  ServerNameMatcherSchema,
  StringValueSchema,
  DynamicMetadataInputSchema,
  UriSanInputSchema,
  DnsSanInputSchema,
  SubjectInputSchema,
  IpSchema,
  HTTPFaultSchema,
  StatsdSinkSchema,
  DogStatsdSinkSchema,
  BufferSchema,
  BufferPerRouteSchema,
  CompressorSchema,
  CompressorPerRouteSchema,
  DecompressorSchema,
  GzipSchema,
  GzipDecompressorSchema,
  BrotliSchema,
  BrotliDecompressorSchema,
  ZstdSchema,
  ZstdDecompressorSchema,
  LocalRateLimitSchema,
  RateLimitSchema,
  OnDemandPerRouteSchema,
  OnDemandSchema,
  RateLimitPerRouteSchema,
  ExtAuthzSchema,
  ExtAuthzPerRouteSchema,
  JwtAuthenticationSchema,
  PerRouteConfigSchema,
  BasicAuthSchema,
  BasicAuthPerRouteSchema,
  CorsSchema,
  GrpcWebSchema,
  CorsPolicySchema,
  CsrfPolicySchema,
  HeaderMutationSchema,
  HeaderMutationPerRouteSchema,
  HeaderToMetadataSchema,
  GrpcStatsSchema,
  SetMetadataSchema,
  StatefulSessionSchema,
  StatefulSessionPerRouteSchema,
  CookieBasedSessionStateSchema,
  HeaderBasedSessionStateSchema,
  FilterConfigSchema,
  HealthCheckSchema,
  ModuleFilterSchema,
  OriginalDstSchema,
  TlsInspectorSchema,
  HttpInspectorSchema,
  RawBufferSchema,
  ProxyProtocolUpstreamTransportSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  SPIFFECertValidatorConfigSchema,
  HttpProtocolOptionsSchema,
  FileAccessLogSchema,
  OpenTelemetryAccessLogConfigSchema,
  ExpressionFilterSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  UuidRequestIdConfigSchema,
  EnvironmentResourceDetectorConfigSchema,
  StdoutAccessLogSchema,
  StderrAccessLogSchema,
  OpenTelemetryConfigSchema,
  ZipkinConfigSchema,
  AllowListedRoutesConfigSchema,
  PreviousRoutesConfigSchema,
  SafeCrossSchemeConfigSchema,
  PreviousHostsPredicateSchema,
  OmitCanaryHostsPredicateSchema,
  OmitHostMetadataConfigSchema,
  PreviousPrioritiesConfigSchema,
  UriTemplateMatchConfigSchema,
  UriTemplateRewriteConfigSchema,
  RoundRobinSchema,
  LeastRequestSchema,
  RandomSchema,
  RingHashSchema,
  MaglevSchema,
  WrrLocalitySchema,
  SubsetSchema,
  ClusterProvidedSchema,
  FixedHeapConfigSchema,
  DownstreamConnectionsConfigSchema,
  ClusterConfigSchema,
  DnsClusterSchema,
  TypedStructSchema,
  UdpaTypedStructSchema,
);

/** The type inside an `Any`, when it is known. */
export function anySchema(any: Any, registry: Registry = extensionRegistry): DescMessage | undefined {
  return registry.getMessage(any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1));
}

/** Support check and decoder both look inside; each `Any` is decoded once. */
const unpacked = new WeakMap<Any, Message>();

/** The message inside an `Any`; undefined when its type is unknown or its bytes are not of that type. */
export function unpackAny(any: Any, registry: Registry = extensionRegistry): Message | undefined {
  const known = unpacked.get(any);
  if (known) return known;
  const schema = anySchema(any, registry);
  if (!schema) return undefined;
  try {
    const message = fromBinary(schema, any.value);
    unpacked.set(any, message);
    return message;
  } catch {
    return undefined;
  }
}
