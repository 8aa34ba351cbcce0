import { createRegistry } from "@bufbuild/protobuf";
import { OpenTelemetryConfigSchema } from "@weft/xds/gen/envoy/config/trace/v3/opentelemetry_pb";
import { ZipkinConfigSchema } from "@weft/xds/gen/envoy/config/trace/v3/zipkin_pb";
import { FileAccessLogSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb";
import { ExpressionFilterSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb";
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from "@weft/xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb";
import { OpenTelemetryAccessLogConfigSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb";
import { StdoutAccessLogSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb";
import { CorsPolicySchema, CorsSchema } from "@weft/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb";
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb";
import { HTTPFaultSchema } from "@weft/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb";
import { FilterConfigSchema as GrpcStatsSchema } from "@weft/xds/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb";
import { HeaderMutationSchema } from "@weft/xds/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb";
import { JwtAuthenticationSchema } from "@weft/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb";
import { OnDemandSchema } from "@weft/xds/gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb";
import {
  RBACSchema as HttpRbacSchema,
  RBACPerRouteSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb";
import { RouterSchema } from "@weft/xds/gen/envoy/extensions/filters/http/router/v3/router_pb";
import { ConfigSchema as SetFilterStateSchema } from "@weft/xds/gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb";
import { ConfigSchema as SetMetadataSchema } from "@weft/xds/gen/envoy/extensions/filters/http/set_metadata/v3/set_metadata_pb";
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb";
import { OriginalDstSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb";
import { TlsInspectorSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb";
import { ExtAuthzSchema as NetworkExtAuthzSchema } from "@weft/xds/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb";
import { HttpConnectionManagerSchema } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { RBACSchema as NetworkRbacSchema } from "@weft/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb";
import { TcpProxySchema } from "@weft/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb";
import { CookieBasedSessionStateSchema } from "@weft/xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb";
import { HeaderBasedSessionStateSchema } from "@weft/xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb";
import { UriTemplateMatchConfigSchema } from "@weft/xds/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb";
import { UuidRequestIdConfigSchema } from "@weft/xds/gen/envoy/extensions/request_id/uuid/v3/uuid_pb";
import { PreviousHostsPredicateSchema } from "@weft/xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb";
import { PreviousPrioritiesConfigSchema } from "@weft/xds/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb";
import { EnvironmentResourceDetectorConfigSchema } from "@weft/xds/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb";
import { ProxyProtocolUpstreamTransportSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb";
import { RawBufferSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import { HttpProtocolOptionsSchema } from "@weft/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb";
import { OnDemandHostsSchema } from "@weft/xds/gen/weft/route/v1/on_demand_hosts_pb";
import { TypedStructSchema } from "@weft/xds/gen/xds/type/v3/typed_struct_pb";

/** Every extension that translation packs into an Any. */
export const extensionRegistry = createRegistry(
  HTTPFaultSchema,
  CorsSchema,
  CorsPolicySchema,
  StatefulSessionSchema,
  StatefulSessionPerRouteSchema,
  CookieBasedSessionStateSchema,
  HeaderBasedSessionStateSchema,
  JwtAuthenticationSchema,
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
  HttpRbacSchema,
  RBACPerRouteSchema,
  SetMetadataSchema,
  UriTemplateMatchConfigSchema,
  OnDemandSchema,
  OnDemandHostsSchema,
  RouterSchema,
  OriginalDstSchema,
  TlsInspectorSchema,
  FileAccessLogSchema,
  OpenTelemetryAccessLogConfigSchema,
  ExpressionFilterSchema,
  OpenTelemetryConfigSchema,
  ZipkinConfigSchema,
  UuidRequestIdConfigSchema,
  EnvironmentResourceDetectorConfigSchema,
  StdoutAccessLogSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  HeaderMutationSchema,
  GrpcStatsSchema,
  SetFilterStateSchema,
  HttpConnectionManagerSchema,
  NetworkExtAuthzSchema,
  NetworkRbacSchema,
  TcpProxySchema,
  PreviousHostsPredicateSchema,
  PreviousPrioritiesConfigSchema,
  ProxyProtocolUpstreamTransportSchema,
  RawBufferSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  HttpProtocolOptionsSchema,
  TypedStructSchema,
);
