import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import { KeptFor } from "@weft/base/kept-for";
import { type Filter, FilterSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { CorsSchema } from "@weft/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb";
import { HTTPFaultSchema } from "@weft/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb";
import { OnDemandSchema } from "@weft/xds/gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb";
import { RouterSchema } from "@weft/xds/gen/envoy/extensions/filters/http/router/v3/router_pb";
import { StatefulSessionSchema } from "@weft/xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb";
import {
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import type { PathNormalization } from "../config/mesh-config/mesh-config-spec.ts";
import type { AuthorizationProvider } from "../model/authorization-provider.ts";
import type { MeshOptions } from "../model/mesh-options.ts";
import { accessLogs } from "./access-log.ts";
import {
  grpcMessagesFilter,
  httpMetricsLog,
  peerMetadataFilters,
  type Reporter,
} from "./access-log-metrics.ts";
import type { ReportingFeatures } from "./client-features.ts";
import { type Audience, explainedReplies } from "./explain-header.ts";
import { type HttpFilter, httpFilter } from "./http-filter.ts";
import { istioStats } from "./istio-stats.ts";
import { adsSource, duration, pack } from "./messages.ts";
import { routeAuthorization } from "./route-authorization.ts";
import { routeFilterNames } from "./route-filters.ts";
import { signalsOf } from "./signals-of.ts";
import { tracingFields } from "./tracing.ts";

type ManagerFields = Exclude<MessageInitShape<typeof HttpConnectionManagerSchema>, HttpConnectionManager>;

/** What the filters of all outbound listeners of a client have in common. */
const outbound = new KeptFor<ReportingFeatures, Any>();

/**
 * Requests of the application on their way out: faults, CORS, authorization and
 * sessions as its routes ask, statistics, router. Thousands of listeners differ in two fields:
 * these are encoded behind the others, which are encoded once.
 */
export function outboundHttp(
  statPrefix: string,
  routeConfigName: string,
  authorizers: readonly AuthorizationProvider[],
  options: MeshOptions,
  features: ReportingFeatures,
): Filter {
  const common = outbound.get(features, [options, ...authorizers], () =>
    packedOutbound(authorizers, options, features),
  );
  const own = create(HttpConnectionManagerSchema, {
    statPrefix,
    routeSpecifier: { case: "rds", value: { configSource: adsSource(), routeConfigName } },
  });
  const value = Buffer.concat([common.value, toBinary(HttpConnectionManagerSchema, own)]);
  return managerFilter(create(AnySchema, { typeUrl: common.typeUrl, value }));
}

function packedOutbound(
  authorizers: readonly AuthorizationProvider[],
  options: MeshOptions,
  features: ReportingFeatures,
): Any {
  const side = { reporter: { direction: "outbound" }, features } as const;
  const own = routeFilters(authorizers);
  const filters = features.learnsScope ? [onDemand(), ...own] : own;
  return packedManager(filters, side, options, {
    ...explainedReplies("application", options, features),
    forwardClientCertDetails: ForwardClientCert.SANITIZE,
  });
}

/**
 * Requests on their way to the application, under its policy before anything
 * else looks at them. What a client says about its own certificate is replaced
 * by what it proved.
 */
export function inboundHttp(
  statPrefix: string,
  routes: RouteConfiguration,
  policy: readonly HttpFilter[],
  side: Side,
  options: MeshOptions,
  audience: Audience,
): Filter {
  const packed = packedManager(policy, side, options, {
    statPrefix,
    ...explainedReplies(audience, options, side.features),
    routeSpecifier: { case: "routeConfig", value: routes },
    // Upgrades of an HTTP/1.1 application may come over HTTP/2 (RFC 8441).
    http2ProtocolOptions: { allowConnect: true },
    forwardClientCertDetails: ForwardClientCert.SANITIZE_SET,
    setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
  });
  return managerFilter(packed);
}

/**
 * Requests of clients that are no part of the mesh, at its edge: nothing they
 * say of where they come from, how they came, or whose certificate they have is
 * believed, beyond as many proxies as the mesh says stand before its gateways.
 * Policies of the gateway come first, then what its routes ask for.
 */
export function gatewayHttp(
  statPrefix: string,
  routeConfigName: string,
  policy: readonly HttpFilter[],
  authorizers: readonly AuthorizationProvider[],
  features: ReportingFeatures,
  options: MeshOptions,
): Filter {
  const { numTrustedProxies, forwardClientCert } = options.defaults.gatewayTopology;
  const side = { reporter: { direction: "outbound" }, features, isGateway: true } as const;
  const packed = packedManager([...policy, ...routeFilters(authorizers)], side, options, {
    statPrefix,
    ...explainedReplies("anybody", options, features),
    routeSpecifier: { case: "rds", value: { configSource: adsSource(), routeConfigName } },
    useRemoteAddress: true,
    xffNumTrustedHops: numTrustedProxies,
    forwardClientCertDetails: ForwardClientCert[forwardClientCert],
    setCurrentClientCertDetails: { subject: true, cert: true, dns: true, uri: true },
    requestHeadersTimeout: duration(edgeHeadersTimeoutMs),
  });
  return managerFilter(packed);
}

/** Beyond it a request goes on without its cluster. */
const discoveryTimeoutMs = 5_000;

/** A client that takes longer to say what it wants holds a connection for nothing. */
const edgeHeadersTimeoutMs = 60_000;

/**
 * There whether or not a route asks for them: a listener that changed with its
 * routes would drain. But who is asked about requests, and which of their
 * headers they see, only a filter can say. A preflight shows no credentials: it
 * is answered before.
 */
function routeFilters(authorizers: readonly AuthorizationProvider[]): HttpFilter[] {
  return [
    httpFilter(routeFilterNames.fault, pack(HTTPFaultSchema, {})),
    httpFilter(routeFilterNames.cors, pack(CorsSchema, {})),
    ...routeAuthorization(authorizers),
    httpFilter(routeFilterNames.session, pack(StatefulSessionSchema, {})),
  ];
}

/** First: what the filters behind it do, the virtual host says that it may have to ask for. */
function onDemand(): HttpFilter {
  const config = pack(OnDemandSchema, {
    odcds: { source: adsSource(), timeout: duration(discoveryTimeoutMs) },
  });
  return httpFilter("envoy.filters.http.on_demand", config);
}

/** As in Istio: each level does what the one before does, and more. */
function normalization(level: PathNormalization): ManagerFields {
  return {
    normalizePath: level !== "NONE",
    ...(level === "MERGE_SLASHES" || level === "DECODE_AND_MERGE_SLASHES" ? { mergeSlashes: true } : {}),
    ...(level === "DECODE_AND_MERGE_SLASHES"
      ? { pathWithEscapedSlashesAction: EscapedSlashes.UNESCAPE_AND_FORWARD }
      : {}),
  };
}

/** Which end of a call this is, and for whom. */
export interface Side {
  readonly reporter: Reporter;
  readonly features: ReportingFeatures;
  /** It calls for clients that are no part of the mesh. */
  readonly isGateway?: boolean;
}

function packedManager(
  filters: readonly HttpFilter[],
  { reporter, features, isGateway = false }: Side,
  options: MeshOptions,
  fields: ManagerFields,
): Any {
  const { accessLogs: rules, metrics, tracing } = signalsOf(features, options, reporter.direction);
  const { hasAccessLogMetrics } = features;
  return pack(HttpConnectionManagerSchema, {
    httpFilters: [
      // First, so that who was denied is known too.
      ...(hasAccessLogMetrics ? peerMetadataFilters(reporter) : []),
      ...filters,
      // Optional: a data plane that does not know the filter goes without.
      ...(hasAccessLogMetrics ? [grpcMessagesFilter()] : [{ ...istioStats(metrics), isOptional: true }]),
      httpFilter("envoy.filters.http.router", pack(RouterSchema, {})),
    ],
    accessLog: [
      ...accessLogs(rules, "http"),
      ...(hasAccessLogMetrics ? [httpMetricsLog(reporter, metrics)] : []),
    ],
    ...tracingFields(tracing, isGateway),
    useRemoteAddress: false,
    ...normalization(options.defaults.pathNormalization),
    streamIdleTimeout: duration(0),
    serverHeaderTransformation: ServerHeader.PASS_THROUGH,
    upgradeConfigs: [{ upgradeType: "websocket" }],
    ...fields,
  });
}

function managerFilter(config: Any): Filter {
  return create(FilterSchema, {
    name: "envoy.filters.network.http_connection_manager",
    configType: { case: "typedConfig", value: config },
  });
}
