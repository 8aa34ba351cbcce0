import type { Subnet } from "./address-match.ts";
import type { LocalityFailover } from "./locality-policy.ts";
import type { Protocol } from "./protocol.ts";
import type { Provenance } from "./provenance.ts";
import type { BackendTls, TrafficPolicy } from "./traffic-policy.ts";

export interface Service {
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  /** Namespaces whose proxies see it, where those are not all. */
  readonly visibleIn?: readonly string[];
  readonly isExternal: boolean;
  /** Written where it is so: a further name of another service, which is met where both could be meant. */
  readonly isAlias?: true;
  /** How endpoints are found: from the mesh, by DNS (all addresses, or one), or the address the caller chose. */
  readonly resolution: "endpoints" | "dns" | "dns-single" | "passthrough";
  readonly isHeadless: boolean;
  /** Headless only, where callers choose the endpoint: every endpoint speaks mutual TLS. */
  readonly isMutualTls: boolean;
  /** Virtual or written addresses by which callers reach it; empty when callers use its name only. */
  readonly addresses: readonly string[];
  /** Written where it is so: it is also whatever is in these, for connections that are no HTTP. */
  readonly ranges?: readonly Subnet[];
  readonly ports: readonly ServicePort[];
  /** Names an endpoint of it may prove by its certificate: SPIFFE IDs, sorted. */
  readonly identities: readonly string[];
  /** Written where it is so: a client keeps its endpoint, unless a policy says otherwise. */
  readonly hasAffinity?: true;
  /** Written where it is so: it is served also by what is not ready (`publishNotReadyAddresses`). */
  readonly takesUnready?: true;
  /** Written where it is so: the nearest of its endpoints are preferred, unless a policy says otherwise. */
  readonly nearness?: LocalityFailover;
  /** Written where there are some: ports of HTTP/1.1 some of whose applications are spoken to as each client speaks; in order. */
  readonly followsClients?: readonly number[];
  /** Written where it is so: ports with TLS of a policy of their own, before what a DestinationRule says. */
  readonly backendTls?: readonly BackendTls[];
  /** By the DestinationRule that is for callers of every namespace. */
  readonly policy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  /** Undefined when it exists by registration alone. */
  readonly source: Provenance | undefined;
  readonly destinationRule: Provenance | undefined;
}

export interface ServicePort {
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
}

export interface Subset {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly policy: TrafficPolicy | undefined;
  readonly source: Provenance;
}
