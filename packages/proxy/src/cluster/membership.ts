import { type AddressOrder, usualOrder } from "../net/address-order.ts";
import { formatAddress } from "../net/socket-address.ts";
import type { EndpointPlan, LocalityEndpoints, TransportPlan } from "./cluster-plan.ts";
import { isSameLocality, type LocalityGroup } from "./locality-group.ts";
import { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** The endpoints of a cluster at one moment. */
export interface Membership {
  /** By identity, in the order they were given. */
  readonly endpoints: ReadonlyMap<string, UpstreamEndpoint>;
  readonly groups: readonly LocalityGroup[];
}

export interface MembershipChange extends Membership {
  readonly added: readonly UpstreamEndpoint[];
  readonly removed: readonly UpstreamEndpoint[];
}

export interface MembershipRules {
  readonly transportOf: (plan: EndpointPlan) => TransportPlan | undefined;
  /** Whether an endpoint that is named no more stays all the same. */
  readonly outstays: (endpoint: UpstreamEndpoint) => boolean;
  readonly addressOrder?: AddressOrder | undefined;
}

/**
 * What becomes of a cluster's endpoints when others are named: those whose
 * address and transport stay are the same objects, and the first of two with
 * the same address counts.
 */
export function updateMembership(
  before: Membership,
  localities: readonly LocalityEndpoints[],
  { transportOf, outstays, addressOrder = usualOrder }: MembershipRules,
): MembershipChange {
  const endpoints = new Map<string, UpstreamEndpoint>();
  const added: UpstreamEndpoint[] = [];
  const groups = localities.map((locality): LocalityGroup & { readonly hosts: UpstreamEndpoint[] } => {
    const hosts: UpstreamEndpoint[] = [];
    for (const plan of locality.endpoints) {
      const identity = plan.identity ?? formatAddress(plan.address);
      if (endpoints.has(identity)) continue;
      let endpoint = before.endpoints.get(identity);
      const transport = transportOf(plan);
      if (endpoint && isMadeFor(endpoint, transport)) {
        endpoint.follow(plan, addressOrder);
        endpoint.isPendingRemoval = false;
      } else {
        endpoint = new UpstreamEndpoint(plan, transport, addressOrder);
        added.push(endpoint);
      }
      endpoint.priority = locality.priority;
      endpoints.set(identity, endpoint);
      hosts.push(endpoint);
    }
    const { priority, weight } = locality;
    return { priority, weight, locality, hosts };
  });
  const removed: UpstreamEndpoint[] = [];
  for (const group of before.groups) {
    for (const endpoint of group.hosts) {
      const identity = endpoint.plan.identity ?? endpoint.addressText;
      const successor = endpoints.get(identity);
      if (successor === endpoint) continue;
      if (successor || !outstays(endpoint)) {
        removed.push(endpoint);
        continue;
      }
      endpoint.isPendingRemoval = true;
      endpoints.set(identity, endpoint);
      const place = groups.find(
        ({ priority, locality }) => priority === group.priority && isSameLocality(locality, group.locality),
      );
      if (place) place.hosts.push(endpoint);
      else groups.push({ ...group, hosts: [endpoint] });
    }
  }
  return { endpoints, groups, added, removed };
}

/** Whether an endpoint's connections are those of this transport, so that it can go on. */
export function isMadeFor(endpoint: UpstreamEndpoint, transport: TransportPlan | undefined): boolean {
  return endpoint.tls === transport?.tls && endpoint.proxyProtocol === transport?.proxyProtocol;
}
