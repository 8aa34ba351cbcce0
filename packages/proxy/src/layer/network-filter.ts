import type { DownstreamConnection } from "./downstream-connection.ts";
import type { Exchange } from "./exchange.ts";

/** Decides on a connection before its terminal filter sees a byte. */
export interface NetworkFilter {
  readonly name: string;
  /** False closes the connection; `connection.terminationDetails` then says why. */
  onConnection(connection: DownstreamConnection): boolean;
  /**
   * Asks somebody else about a connection that `onConnection` let in, before anything of it is read. Undefined:
   * there is nothing to ask. Otherwise `decide` is called once, now or later, unless cancelled; where it
   * says no, `connection.terminationDetails` says why.
   */
  ask?(
    connection: DownstreamConnection,
    decide: (isAllowed: boolean) => void,
  ): { cancel(): void } | undefined;
  /** How long a connection this filter refuses stays open, unread, before it is closed. */
  readonly refusalDelayMs?: number;
  /** Decides on new connections only: one that moves to a new version of its listener is not asked again. */
  readonly isAdmission?: boolean;
  /** A connection this filter let in is gone. */
  onDisconnect?(connection: DownstreamConnection): void;
  /** TCP proxying only: the upstream connection is established. */
  onEstablished?(exchange: Exchange): void;
  /** TCP proxying only: the connection is over, whether or not it was established; runs before access logs. */
  onClose?(exchange: Exchange): void;
}
