import type { Breakers } from "../cluster/cluster.ts";
import type { MadeConnection } from "./pending-connection.ts";
import type { ClientStream, ResetReason, ResponseReceiver } from "./stream.ts";
import type { UpstreamConnectionInfo } from "./upstream-connection-info.ts";

/** Asks a pool for a stream, and then receives the response on it. */
export interface PoolRequester extends ResponseReceiver {
  onStreamReady(stream: ClientStream, connection: UpstreamConnectionInfo): void;
  /** No stream will come. `isTls` tells whose report `transport` is. */
  onStreamFailed(reason: ResetReason, transport: string, isTls: boolean): void;
}

/** What is agreed on a connection decides who takes it. */
export interface Negotiation {
  /** What may be agreed on, in order of preference. */
  readonly spoken: readonly string[];
  /** Returns the pool that has taken it, or undefined where the pool that made it may keep it. */
  decide(made: MadeConnection): UpstreamPool | undefined;
}

/** The connections to one endpoint, whatever protocol they speak. */
export interface UpstreamPool {
  /**
   * Answers with exactly one of the two calls, possibly before returning.
   * `isFresh` wants a connection nobody used before.
   */
  request(requester: PoolRequester, breakers: Breakers, isFresh: boolean): void;
  /** Withdraws a request that has not been answered. */
  cancel(requester: PoolRequester): void;
  /** The endpoint is leaving: idle connections close, busy ones after their exchange. */
  drain(): void;
}
