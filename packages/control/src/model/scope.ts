import type { Protocol } from "./protocol.ts";
import type { Provenance } from "./provenance.ts";
import type { Destination } from "./routing.ts";

/** What a Sidecar lets its proxies call. */
export interface Scope {
  /** One that is for every port is the last. Empty: all that is visible may be called. */
  readonly egress: readonly EgressListener[];
  /** Undefined: as the mesh. */
  readonly outbound: OutboundPolicy | undefined;
  readonly source: Provenance;
}

/** Where calls to hosts that are not known go. */
export interface OutboundPolicy {
  readonly mode: "ALLOW_ANY" | "REGISTRY_ONLY";
  /** A service that takes them on instead of where they are for. Its port is written. */
  readonly egressProxy: Destination | undefined;
}

export interface EgressListener {
  /** Undefined: every port that no other listener has. */
  readonly port: { readonly number: number; readonly protocol: Protocol } | undefined;
  /** The IP address it is at, where one was written. */
  readonly bind: string | undefined;
  /** Whether captured traffic is handed to it; the application connects to it otherwise. */
  readonly isCaptured: boolean;
  readonly hosts: readonly EgressHost[];
}

export interface EgressHost {
  /** `*` is every namespace, `.` that of the proxy. */
  readonly namespace: string;
  /** A hostname, or a wildcard. */
  readonly host: string;
}
