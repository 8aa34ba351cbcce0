import type { DownstreamConnection } from "./downstream-connection.ts";

/** Decides on a connection before its terminal filter sees a byte. */
export interface NetworkFilter {
  readonly name: string;
  /** False closes the connection; `connection.terminationDetails` then says why. */
  onConnection(connection: DownstreamConnection): boolean;
}
