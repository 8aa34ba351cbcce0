import type { ResourceOf } from "../../config/resource.ts";
import type { ApiGateway } from "./api-gateways.ts";
import { byAge } from "./by-age.ts";
import { apiGroup, type GatewayLookup } from "./gateway-lookup.ts";

export type ListenerSet = ResourceOf<"ListenerSet">;

/** `namespace/name` of the Gateway that a set is for. */
export function parentKey({ spec, namespace }: ListenerSet): string {
  return `${spec.parentRef.namespace ?? namespace}/${spec.parentRef.name}`;
}

/** Whether what a set names as its parent could be a Gateway. */
export function namesGateway({ spec }: ListenerSet): boolean {
  const { group = apiGroup, kind = "Gateway" } = spec.parentRef;
  return group === apiGroup && kind === "Gateway";
}

/** The sets of each Gateway by `namespace/name`, the older before the newer. */
export function setsByParent(sets: readonly ListenerSet[]): ReadonlyMap<string, readonly ListenerSet[]> {
  return Map.groupBy(sets.filter(namesGateway).toSorted(byAge), parentKey);
}

/** Which of the sets that are for a Gateway it takes. */
export function takenBy(
  gateway: ApiGateway,
  sets: readonly ListenerSet[],
  { namespaces }: GatewayLookup,
): { readonly allowed: readonly ListenerSet[]; readonly refused: readonly ListenerSet[] } {
  const { from = "None", selector } = gateway.spec.allowedListeners?.namespaces ?? {};
  const takes = ({ namespace }: ListenerSet) => {
    if (from === "Selector") return namespaces.selects(selector, namespace);
    return from === "All" || (from === "Same" && namespace === gateway.namespace);
  };
  return { allowed: sets.filter(takes), refused: sets.filter((set) => !takes(set)) };
}
