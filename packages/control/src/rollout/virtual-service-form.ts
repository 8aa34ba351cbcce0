import type { YAMLMap } from "yaml";
import type { RolloutMatch } from "../api/rollout-protocol.ts";
import type { DestinationSpec, HttpMatchSpec, HttpRouteSpec } from "../config/virtual-service-specs.ts";
import type { RouteForm } from "./route-editor.ts";
import type { Weighed } from "./split-weights.ts";

/** How a VirtualService is edited: versions are subsets of a host. */
export function virtualServiceForm(
  roleOf: (destination: DestinationSpec) => Weighed["role"],
  canarySubset: string,
): RouteForm {
  return {
    rules: "http",
    destinations: "route",
    matches: "match",
    weigh: ({ route = [] }: HttpRouteSpec) =>
      route.map(({ destination, weight }) => ({
        role: roleOf(destination),
        weight: weight ?? (route.length === 1 ? 100 : 0),
      })),
    setCanary: (item) => item.setIn(["destination", "subset"], canarySubset),
    addMirror(rule, canary, value) {
      const destination = (canary.get("destination") as YAMLMap).toJSON();
      const { mirrors = [] } = rule.toJSON() as HttpRouteSpec;
      rule.set("mirrors", [...mirrors, { destination, percentage: { value } }]);
    },
    join: (match: HttpMatchSpec, { headers, queryParams, sourceLabels }: RolloutMatch) => ({
      ...match,
      ...(headers && { headers: { ...match.headers, ...headers } }),
      ...(queryParams && { queryParams: { ...match.queryParams, ...queryParams } }),
      ...(sourceLabels && { sourceLabels: { ...match.sourceLabels, ...sourceLabels } }),
    }),
  };
}
