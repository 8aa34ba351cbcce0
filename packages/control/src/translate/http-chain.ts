import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { type Filter, FilterSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import type { RBAC } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { CorsSchema } from "@weft/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb";
import { HTTPFaultSchema } from "@weft/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb";
import { RBACSchema as HttpRbacSchema } from "@weft/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb";
import { RouterSchema } from "@weft/xds/gen/envoy/extensions/filters/http/router/v3/router_pb";
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
  type HttpFilterSchema,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import type { MeshOptions } from "../model/mesh.ts";
import { accessLogs } from "./access-log.ts";
import { httpMetricsLog, peerMetadataFilters, type Reporter } from "./access-log-metrics.ts";
import type { ClientFeatures } from "./client-features.ts";
import { istioStats } from "./istio-stats.ts";
import { adsSource, duration, pack } from "./messages.ts";
import { routeFilterNames } from "./route-filters.ts";

type HttpFilter = Exclude<MessageInitShape<typeof HttpFilterSchema>, { $typeName: string }>;
type ManagerFields = Exclude<MessageInitShape<typeof HttpConnectionManagerSchema>, HttpConnectionManager>;

/** Requests of the application on their way out: faults and CORS as its routes ask, statistics, router. */
export function outboundHttp(
  statPrefix: string,
  routeConfigName: string,
  options: MeshOptions,
  features: ClientFeatures,
): Filter {
  // There whether or not a route asks for them: a listener that changed with its routes would drain.
  const filters = [
    filter(routeFilterNames.fault, pack(HTTPFaultSchema, {})),
    filter(routeFilterNames.cors, pack(CorsSchema, {})),
  ];
  const side = { reporter: { direction: "outbound" }, features } as const;
  return manager(statPrefix, filters, side, options, {
    routeSpecifier: { case: "rds", value: { configSource: adsSource(), routeConfigName } },
    forwardClientCertDetails: ForwardClientCert.SANITIZE,
  });
}

/**
 * Requests on their way to the application. What is denied is denied before it
 * is allowed, and before anything else looks at the request. What a client says
 * about its own certificate is replaced by what it proved.
 */
export function inboundHttp(
  statPrefix: string,
  routes: RouteConfiguration,
  rbac: { readonly deny?: RBAC; readonly allow?: RBAC },
  side: Side,
  options: MeshOptions,
): Filter {
  const filters = (["deny", "allow"] as const).flatMap((verdict) => {
    const rules = rbac[verdict];
    return rules ? [filter(`envoy.filters.http.rbac.${verdict}`, pack(HttpRbacSchema, { rules }))] : [];
  });
  return manager(statPrefix, filters, side, options, {
    routeSpecifier: { case: "routeConfig", value: routes },
    // Upgrades of an HTTP/1.1 application may come over HTTP/2 (RFC 8441).
    http2ProtocolOptions: { allowConnect: true },
    forwardClientCertDetails: ForwardClientCert.SANITIZE_SET,
    setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
  });
}

/** Which end of a call this is, and for whom. */
export interface Side {
  readonly reporter: Reporter;
  readonly features: ClientFeatures;
}

function manager(
  statPrefix: string,
  filters: readonly HttpFilter[],
  { reporter, features }: Side,
  options: MeshOptions,
  fields: ManagerFields,
): Filter {
  const config = pack(HttpConnectionManagerSchema, {
    statPrefix,
    httpFilters: [
      // First, so that who was denied is known too.
      ...(features.hasAccessLogMetrics ? peerMetadataFilters(reporter) : []),
      ...filters,
      // Optional: a data plane that does not know the filter goes without.
      ...(features.hasAccessLogMetrics ? [] : [{ ...istioStats(), isOptional: true }]),
      filter("envoy.filters.http.router", pack(RouterSchema, {})),
    ],
    accessLog: [...accessLogs(options), ...(features.hasAccessLogMetrics ? [httpMetricsLog(reporter)] : [])],
    useRemoteAddress: false,
    normalizePath: true,
    streamIdleTimeout: duration(0),
    serverHeaderTransformation: ServerHeader.PASS_THROUGH,
    upgradeConfigs: [{ upgradeType: "websocket" }],
    ...fields,
  });
  return create(FilterSchema, {
    name: "envoy.filters.network.http_connection_manager",
    configType: { case: "typedConfig", value: config },
  });
}

function filter(name: string, value: Any): HttpFilter {
  return { name, configType: { case: "typedConfig", value } };
}
