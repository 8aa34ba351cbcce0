import type { TcpProxyPlan } from "../listener/listener-plan.ts";
import type { Connection } from "../net/connection.ts";

/** The upstream side of a proxied TCP connection: a connection, or a tunnel that is used like one. */
export type TcpUpstream = Pick<
  Connection,
  | "start"
  | "isWritable"
  | "write"
  | "lend"
  | "hasOwnReadBuffer"
  | "readInBulk"
  | "pause"
  | "resume"
  | "end"
  | "closeGracefully"
  | "destroy"
>;

/** Why there is no upstream, in Envoy's words. */
export type TcpConnectFailure = "resource_limit_exceeded" | "no_healthy_upstream" | "connect_failed";

export interface TcpConnectorEvents {
  onConnected(up: TcpUpstream): void;
  onFailed(failure: TcpConnectFailure): void;
}

/** Finds an upstream for one TCP connection, and keeps the cluster's accounts of it. */
export interface TcpUpstreamSource {
  /** Exactly one event follows, unless cancelled. */
  start(): void;
  /** Gives up what is under way. */
  cancel(): void;
  /** The connection is over, its bytes counted. */
  release(): void;
}

/** Full jitter, as Envoy's: anything from nothing to an interval that doubles with each attempt. `random` is in [0, 1). */
export function backoffMs(
  backoff: NonNullable<TcpProxyPlan["backoff"]>,
  attempts: number,
  random: number,
): number {
  return random * Math.min(backoff.baseMs * 2 ** Math.min(attempts - 1, 30), backoff.maxMs);
}
