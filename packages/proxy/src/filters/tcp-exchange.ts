import type { Cluster, Endpoint } from "../cluster/cluster.ts";
import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import type { DynamicMetadata } from "../layer/dynamic-metadata.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";

/** The record of a proxied TCP connection, in the form filters and access logs read. */
export class TcpExchange implements Exchange {
  readonly connection: DownstreamConnection;
  readonly direction: Exchange["direction"];
  readonly plan = undefined;
  readonly request = undefined;
  readonly protocol = "";
  response = undefined;
  readonly originalPath = "";
  readonly requestId = "";
  match = undefined;
  cluster: Cluster | undefined = undefined;
  endpoint: Endpoint | undefined = undefined;
  upstreamPeer: PeerIdentity | undefined = undefined;
  upstreamLocal: SocketAddress | undefined = undefined;
  upstreamRemote: SocketAddress | undefined = undefined;
  upstreamTransportFailure = "";
  attempts = 0;
  flags = 0;
  details = "";
  readonly isLocalReply = false;
  logType: Exchange["logType"] = "TcpConnectionEnd";
  readonly startMs: number;
  readonly startEpochMs: number;
  requestCompleteMs = 0;
  upstreamFirstByteMs = 0;
  responseStartMs = 0;
  endMs = 0;
  bytesReceived = 0;
  bytesSent = 0;
  requestHeaderBytes = 0;
  upstreamConnectionHeaders = undefined;
  filterState: Map<string, unknown> | undefined = undefined;
  dynamicMetadata: DynamicMetadata | undefined = undefined;

  constructor(connection: DownstreamConnection, direction: Exchange["direction"], startEpochMs: number) {
    this.connection = connection;
    this.direction = direction;
    // Copied: what filters of this connection add is not the listener filter's.
    this.dynamicMetadata = connection.metadata;
    this.startMs = connection.startMs;
    this.startEpochMs = startEpochMs;
  }

  /** A TCP connection has no request to answer. */
  reply(): void {}

  resume(): void {}
}
