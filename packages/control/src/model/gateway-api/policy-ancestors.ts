import type { ParentRefSpec, PolicyTargetRefSpec } from "../../config/gateway-api-specs.ts";
import type { Destination } from "../routing.ts";
import type { GatewayAttachments } from "./attach-to-gateways.ts";
import { apiGroup } from "./gateway-lookup.ts";
import type { TargetStatus, TargetStatuses } from "./policy-status.ts";
import type { Condition } from "./route-status.ts";

/** What became of a policy for those who are told of it: a Gateway, or the callers of a target. */
export interface AncestorStatus {
  readonly ancestorRef: ParentRefSpec | PolicyTargetRefSpec;
  readonly conditions: readonly Condition[];
}

/** By resource key. */
export type PolicyStatuses = ReadonlyMap<string, readonly AncestorStatus[]>;

/** The most that a status holds, as the Gateway API has it. */
const maxAncestors = 16;

/**
 * Of each policy an entry for every Gateway that leads to what it is for, in
 * order of their names, then one for each of its targets: what holds for callers
 * in the mesh, who need no Gateway and no route.
 */
export function policyAncestors(targets: TargetStatuses, attachments: GatewayAttachments): PolicyStatuses {
  if (targets.size === 0) return new Map();
  const byGateway = [...attachments.destinations()].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(
    [...targets].map(([key, own]) => {
      const gateways = byGateway.flatMap(([name, destinations]): AncestorStatus[] => {
        const reached = own.filter((target) => leadsTo(target, destinations));
        return reached.length > 0 ? [ofGateway(name, reached)] : [];
      });
      const ofMesh = own.map(({ target, conditions }) => ({ ancestorRef: target, conditions }));
      return [key, [...gateways, ...ofMesh].slice(0, maxAncestors)];
    }),
  );
}

/** @param destinations ports by host; without a port all of them */
function leadsTo(
  { places }: TargetStatus,
  destinations: ReadonlyMap<string, ReadonlySet<Destination["port"]>>,
): boolean {
  return places.some(({ host, ports }) => {
    const called = destinations.get(host);
    return called !== undefined && (called.has(undefined) || ports.some((port) => called.has(port)));
  });
}

/** Of several targets behind one Gateway what is wrong with one of them is told first. */
function ofGateway(key: string, reached: readonly TargetStatus[]): AncestorStatus {
  const [namespace, name] = key.split("/") as [string, string];
  const isWell = ({ conditions }: TargetStatus) => conditions.every(({ isTrue }) => isTrue);
  const { conditions } = reached.find((target) => !isWell(target)) ?? reached[0]!;
  return { ancestorRef: { group: apiGroup, kind: "Gateway", namespace, name }, conditions };
}
