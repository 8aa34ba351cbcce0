import type { Message } from "@bufbuild/protobuf";
import {
  type Route,
  type RouteList as RouteListMessage,
  RouteListSchema,
  RouteSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { Matcher } from "@weft/xds/gen/xds/type/matcher/v3/matcher_pb";
import type { MatchTree } from "../matching/match-tree.ts";
import { RouteList, type RouteSpec } from "../route/route-list.ts";
import type { VirtualHostPlan } from "../route/route-plan.ts";
import { decodeMatchTree } from "./decode-match-tree.ts";
import { at, type Issues } from "./issues.ts";

export interface MatchedRoutes {
  readonly virtualHost: VirtualHostPlan;
  /** `ignore_path_parameters_in_path_matching`. */
  readonly ignoresParameters: boolean;
  decodeRoute(route: Route, path: string): RouteSpec;
}

/**
 * Compiles the matcher of a virtual host, which stands in the place of its
 * routes: what it comes to is one route or a list of them, whose own `match`
 * must hold as well. Where none does there is no route.
 *
 * @see envoy.config.route.v3.VirtualHost.matcher
 */
export function decodeVirtualHostMatcher(
  matcher: Matcher,
  path: string,
  { virtualHost, ignoresParameters, decodeRoute }: MatchedRoutes,
  issues: Issues,
): MatchTree<RouteList> {
  const decodeAction = (message: Message, place: string): RouteList | undefined => {
    let specs: RouteSpec[];
    if (message.$typeName === RouteSchema.typeName) specs = [decodeRoute(message as Route, place)];
    else if (message.$typeName === RouteListSchema.typeName) {
      const { routes } = message as RouteListMessage;
      if (routes.length === 0) issues.add(at(place, "routes"), "is empty");
      specs = routes.map((route, i) => decodeRoute(route, `${at(place, "routes")}[${i}]`));
    } else {
      issues.add(
        place,
        `${message.$typeName} is no route`,
        "use Route or RouteList of envoy.config.route.v3",
      );
      return undefined;
    }
    return new RouteList(specs, virtualHost, ignoresParameters);
  };
  return decodeMatchTree(matcher, path, { subject: "headers", decodeAction, issues });
}
