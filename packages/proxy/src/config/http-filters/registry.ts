import { basicAuthFilter } from "./basic-auth.ts";
import { bufferFilter } from "./buffer.ts";
import { compressorFilter } from "./compressor.ts";
import { corsFilter } from "./cors.ts";
import { csrfFilter } from "./csrf.ts";
import { decompressorFilter } from "./decompressor.ts";
import { extAuthzFilter } from "./ext-authz.ts";
import { faultFilter } from "./fault.ts";
import { grpcStatsFilter } from "./grpc-stats.ts";
import { grpcWebFilter } from "./grpc-web.ts";
import { headerMutationFilter } from "./header-mutation.ts";
import { headerToMetadataFilter } from "./header-to-metadata.ts";
import { healthCheckFilter } from "./health-check.ts";
import type { HttpFilterType, RouteConfigType } from "./http-filter-type.ts";
import { istioStatsFilters } from "./istio-stats.ts";
import { jwtAuthnFilter } from "./jwt-authn.ts";
import { localRateLimitFilter } from "./local-rate-limit.ts";
import { moduleFilter } from "./module.ts";
import { onDemandFilter } from "./on-demand.ts";
import { rateLimitFilter } from "./rate-limit.ts";
import { rbacFilter } from "./rbac.ts";
import { routerFilterType } from "./router.ts";
import { setMetadataFilter } from "./set-metadata.ts";
import { statefulSessionFilter } from "./stateful-session.ts";

/**
 * Every HTTP filter of this proxy. Their messages stand in `extensionRegistry`
 * and the support table as well; a test holds the three together.
 *
 * All are loaded with the proxy: the nine that few use (from buffers to rate
 * limits) add 1.5 MB to some 88 MB, most of it message descriptors, and code
 * that never runs is never compiled.
 */
export const httpFilterTypes: readonly HttpFilterType[] = [
  basicAuthFilter,
  bufferFilter,
  compressorFilter,
  corsFilter,
  csrfFilter,
  decompressorFilter,
  extAuthzFilter,
  faultFilter,
  grpcStatsFilter,
  grpcWebFilter,
  headerMutationFilter,
  headerToMetadataFilter,
  healthCheckFilter,
  jwtAuthnFilter,
  localRateLimitFilter,
  moduleFilter,
  onDemandFilter,
  rateLimitFilter,
  rbacFilter,
  setMetadataFilter,
  statefulSessionFilter,
  ...istioStatsFilters,
  routerFilterType,
];

const byType = new Map(httpFilterTypes.map((type) => [type.typeName, type]));
const routesByType = new Map(
  httpFilterTypes.flatMap(({ route }) => (route ? [[route.typeName, route] as const] : [])),
);

export function findHttpFilter(typeName: string): HttpFilterType | undefined {
  return byType.get(typeName);
}

export function findRouteConfig(typeName: string): RouteConfigType | undefined {
  return routesByType.get(typeName);
}
