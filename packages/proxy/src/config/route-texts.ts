import type { Message } from "@bufbuild/protobuf";
import type { Listener } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import type { HttpConnectionManager } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { type ConditionText, describeConditions, describePath } from "./describe-route-match.ts";
import { unpackAny } from "./extension-registry.ts";

/** What one route wants, in words. */
export interface RouteText {
  readonly path: ConditionText;
  /** As `decodeConditions` orders them. */
  readonly conditions: readonly ConditionText[];
}

/** The routes of a virtual host, in order, by its name. */
export type RouteTexts = (virtualHost: string | undefined) => readonly RouteText[];

/** Of a route configuration as it was decoded; undefined has no routes. */
export function routeTexts(message: Message | undefined): RouteTexts {
  return (virtualHost) => {
    const config = message as RouteConfiguration | undefined;
    const host = config?.virtualHosts.find(({ name }) => name === virtualHost);
    return (host?.routes ?? []).map(({ match }) => ({
      path: describePath(match),
      conditions: describeConditions(match),
    }));
  };
}

/** Of a route configuration that stands in its listener. */
export function inlineRouteTexts(listener: Message, name: string | undefined): RouteTexts {
  const { filterChains, defaultFilterChain } = listener as Listener;
  for (const chain of [...filterChains, ...(defaultFilterChain ? [defaultFilterChain] : [])]) {
    for (const { configType } of chain.filters) {
      const config = configType.case === "typedConfig" ? unpackAny(configType.value) : undefined;
      if (config?.$typeName !== managerType) continue;
      const { routeSpecifier } = config as HttpConnectionManager;
      if (routeSpecifier.case === "routeConfig" && routeSpecifier.value.name === name)
        return routeTexts(routeSpecifier.value);
    }
  }
  return routeTexts(undefined);
}

const managerType = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
