import { create } from "@bufbuild/protobuf";
import {
  type Route,
  VirtualHost_TlsRequirementType as TlsRequirement,
  type VirtualHost,
  VirtualHostSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import type { GatewayListener, GatewayRouting, GatewayServer } from "../../model/gateway.ts";
import { commonHost } from "../../model/host.ts";
import type { Mesh } from "../../model/mesh.ts";
import { nearnessTo } from "../../model/visibility.ts";
import type { Caller } from "../caller.ts";
import { explainHeaderName } from "../explain-header.ts";
import { httpRoutes } from "../outbound-routes.ts";
import type { RoutedMesh } from "../routed-mesh.ts";

export type GatewayMesh = RoutedMesh & Pick<Mesh, "gatewayRouting">;

/**
 * What the VirtualServices that a gateway of `namespace` sees route on a server,
 * each with those of its hosts that the server takes from its namespace.
 */
export function routingsOn(
  { gateway, hosts }: GatewayServer,
  { gatewayRouting }: Pick<Mesh, "gatewayRouting">,
  { namespace: own }: Pick<Caller, "namespace">,
): { readonly routing: GatewayRouting; readonly hosts: readonly string[] }[] {
  return (gatewayRouting.get(gateway) ?? []).flatMap((routing) => {
    if (nearnessTo(own, routing) === undefined) return [];
    const common = new Set<string>();
    for (const { namespace, host } of hosts) {
      if (namespace !== undefined && namespace !== routing.namespace) continue;
      for (const routed of routing.hosts) {
        const both = commonHost(host, routed);
        if (both) common.add(both);
      }
    }
    return common.size > 0 ? [{ routing, hosts: [...common] }] : [];
  });
}

interface HostDraft {
  readonly routes: Route[];
  redirectsToHttps: boolean;
}

/**
 * The routes of servers that share one configuration, by host. VirtualServices
 * that route the same host stand one after the other, in order of namespace and
 * name; a rule that takes every request comes last, whichever wrote it.
 */
export function gatewayRoutes(
  name: string,
  { port }: Pick<GatewayListener, "port">,
  servers: readonly GatewayServer[],
  mesh: GatewayMesh,
  caller: Caller,
): RouteConfiguration {
  const drafts = new Map<string, HostDraft>();
  const draftOf = (host: string): HostDraft => {
    let draft = drafts.get(host);
    if (!draft) {
      draft = { routes: [], redirectsToHttps: false };
      drafts.set(host, draft);
    }
    return draft;
  };
  // Two servers of one Gateway have the same routes: once is enough.
  const taken = new Set<string>();
  for (const server of servers) {
    for (const { routing, hosts } of routingsOn(server, mesh, caller)) {
      const routes = httpRoutes(routing.http, port, mesh, caller);
      if (routes.length === 0) continue;
      for (const host of hosts) {
        const draft = draftOf(host);
        const key = `${host} ${routing.source.config}`;
        if (!taken.has(key)) draft.routes.push(...routes);
        taken.add(key);
        if (server.redirectsToHttps) draft.redirectsToHttps = true;
      }
    }
    if (server.redirectsToHttps) for (const { host } of server.hosts) draftOf(host).redirectsToHttps = true;
    if (server.keepsHosts) for (const { host } of server.hosts) draftOf(host);
  }
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: [...drafts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([host, draft]) => virtualHost(host, port, draft)),
    // What members of the mesh are told is not for clients outside.
    ...(mesh.options.defaults.explainHeader === "mesh"
      ? { responseHeadersToRemove: [explainHeaderName] }
      : {}),
    validateClusters: false,
    ignorePortInHostMatching: true,
  });
}

function virtualHost(host: string, port: number, { routes, redirectsToHttps }: HostDraft): VirtualHost {
  return create(VirtualHostSchema, {
    name: `${host}:${port}`,
    domains: [host],
    routes: lastTakesAll(routes),
    ...(redirectsToHttps ? { requireTls: TlsRequirement.ALL } : {}),
  });
}

/** Rules with conditions in their order, then the first without, in all its shares. */
function lastTakesAll(routes: readonly Route[]): Route[] {
  const all = routes.filter(takesAll);
  const end = all.findIndex(({ match }) => !match!.runtimeFraction) + 1;
  return [...routes.filter((route) => !takesAll(route)), ...all.slice(0, end)];
}

function takesAll({ match }: Route): boolean {
  const path = match?.pathSpecifier;
  const isAnyPath =
    (path?.case === "prefix" && path.value === "/") ||
    (path?.case === "safeRegex" && (path.value.regex === ".*" || path.value.regex === "/.*"));
  return isAnyPath && match!.headers.length === 0 && match!.queryParameters.length === 0;
}
