import { create } from "@bufbuild/protobuf";
import {
  type Route,
  type RouteAction,
  RouteActionSchema,
  type RouteMatch,
  RouteMatchSchema,
  RouteSchema,
  VirtualHostSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { RegexMatcherSchema } from "@weft/xds/gen/envoy/type/matcher/v3/regex_pb";
import { isHttp } from "../../model/protocol.ts";
import type { RouteShare } from "../../model/route-shares.ts";
import type { HttpRoute } from "../../model/routing.ts";
import type { Service } from "../../model/service.ts";
import type { Caller } from "../caller.ts";
import { upstreamRouteName } from "../outbound-listeners.ts";
import { upstreamRoutes } from "../outbound-routes.ts";
import { routeAuthorizationPrefix } from "../route-authorization.ts";
import { routeFilterNames } from "../route-filters.ts";
import type { RoutedMesh } from "../routed-mesh.ts";
import { escapeRegex } from "../string-match.ts";
import { grpcRetryOn } from "./grpc-retry-on.ts";

/**
 * The routes of a service's HTTP ports with only what gRPC takes of them. Its
 * timeouts are a maximum duration; it retries on the statuses that gRPC has.
 * What it cannot do, as rewrites, redirects and changes of headers, is left out,
 * and a route that no gRPC call can match is none.
 */
export function proxylessRoutes(service: Service, mesh: RoutedMesh, caller: Caller): RouteConfiguration[] {
  return service.ports
    .filter((port) => isHttp(port.protocol))
    .map(({ number }) => {
      const name = upstreamRouteName(service.hostname, number);
      const { virtualHosts } = upstreamRoutes(name, service.hostname, number, mesh, caller, inOneShare);
      return create(RouteConfigurationSchema, {
        name,
        virtualHosts: virtualHosts.map(({ name, domains, routes }) =>
          create(VirtualHostSchema, { name, domains, routes: routes.flatMap(grpcRoute) }),
        ),
      });
    });
}

/**
 * gRPC draws anew for each route it tries, so shares that follow each other are
 * not for it: what destinations have of their own is left out. A share that is
 * to be answered with a redirect, or asked about, goes to a cluster that is not
 * there.
 */
function inOneShare(route: HttpRoute): readonly RouteShare[] {
  const { action } = route;
  if (action.kind !== "forward") return [{ route, upTo: undefined }];
  const destinations = action.destinations.map(({ own, ...destination }) =>
    own?.redirect || own?.authorizers.length ? { ...destination, host: "not-for-grpc.invalid" } : destination,
  );
  return [{ route: { ...route, action: { ...action, destinations } }, upTo: undefined }];
}

function grpcRoute({ name, match, action, metadata, typedPerFilterConfig }: Route): Route[] {
  // A call has no query.
  if (!match || match.queryParameters.length > 0) return [];
  const isAskedAbout = Object.keys(typedPerFilterConfig).some((name) =>
    name.startsWith(routeAuthorizationPrefix),
  );
  const given = isAskedAbout
    ? { case: "directResponse" as const, value: { status: 403 } }
    : action.case === "route"
      ? { case: action.case, value: grpcAction(action.value) }
      : // gRPC fails the calls of a route whose action it does not know: so they are not sent elsewhere.
        action;
  // gRPC refuses settings of a filter that it does not know.
  const fault = typedPerFilterConfig[routeFilterNames.fault];
  const filters: Route["typedPerFilterConfig"] = fault ? { [routeFilterNames.fault]: fault } : {};
  return [
    create(RouteSchema, {
      name,
      match: grpcMatch(match),
      action: given,
      metadata,
      typedPerFilterConfig: filters,
    }),
  ];
}

/** Whole elements of a path gRPC matches by a pattern only. */
function grpcMatch(match: RouteMatch): RouteMatch {
  const { pathSpecifier } = match;
  if (pathSpecifier.case !== "pathSeparatedPrefix") return match;
  const regex = `${escapeRegex(pathSpecifier.value)}(/.*)?`;
  const value = create(RegexMatcherSchema, { regex });
  return create(RouteMatchSchema, { ...match, pathSpecifier: { case: "safeRegex", value } });
}

function grpcAction({ clusterSpecifier, hashPolicy, timeout, retryPolicy }: RouteAction): RouteAction {
  const hasTimeout = timeout !== undefined && (timeout.seconds > 0n || timeout.nanos > 0);
  const retryOn = (retryPolicy?.retryOn ?? "").split(",").filter((word) => grpcRetryOn.has(word));
  const { numRetries, retryBackOff } = retryPolicy ?? {};
  return create(RouteActionSchema, {
    clusterSpecifier:
      clusterSpecifier.case === "weightedClusters"
        ? {
            case: "weightedClusters",
            value: {
              clusters: clusterSpecifier.value.clusters.map(({ name, weight }) => ({ name, weight })),
            },
          }
        : clusterSpecifier,
    hashPolicy: hashPolicy.filter(({ policySpecifier }) => policySpecifier.case === "header"),
    ...(hasTimeout ? { maxStreamDuration: { maxStreamDuration: timeout } } : {}),
    ...(retryOn.length > 0 && numRetries !== 0
      ? { retryPolicy: { retryOn: retryOn.join(","), numRetries, retryBackOff } }
      : {}),
  });
}
