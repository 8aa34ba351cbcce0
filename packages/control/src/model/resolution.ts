import type { Service } from "./service.ts";
import type { PortPolicy } from "./traffic-policy.ts";

/** How the endpoints of a cluster are found: as its service's, unless a policy leaves the choice to the caller. */
export function resolutionOf(service: Service, { balancer }: PortPolicy): Service["resolution"] {
  return balancer?.kind === "passthrough" ? "passthrough" : service.resolution;
}
