import type { ProxyHeader } from "../net/proxy-protocol.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import type { DynamicMetadata } from "./dynamic-metadata.ts";

/** Facts about an accepted connection, fixed before its first request except where noted. */
export interface DownstreamConnection {
  /** Unique within the process, ascending. */
  readonly id: number;
  /** The client: as a PROXY header names it, where there was one. */
  readonly remote: SocketAddress;
  /** Who the connection physically comes from; absent means `remote`. */
  readonly directRemote?: SocketAddress;
  readonly proxyHeader?: ProxyHeader | undefined;
  /** What listener filters and network filters noted of the connection. */
  metadata?: DynamicMetadata | undefined;
  /** The address the client dialled: the original destination where interception recovered it. */
  readonly local: SocketAddress;
  readonly remoteText: string;
  readonly localText: string;
  /** SNI sent by the client, or "". */
  readonly requestedServerName: string;
  /** The same as TLS itself saw it, whether or not the listener looked. */
  readonly tlsServerName?: string;
  readonly alpn: string;
  readonly isTls: boolean;
  /** Present exactly when the peer's certificate was verified. */
  readonly peer: PeerIdentity | undefined;
  /** What a certificate claims that was let in without being verified: to be told, never to be believed. */
  readonly unverifiedPeer?: PeerIdentity | undefined;
  /** The subject alternative names of our own certificate, for XFCC and logs. */
  readonly ownUris: readonly string[];
  readonly tlsVersion: string;
  readonly tlsCipher: string;
  readonly startMs: number;
  /** `x-envoy-peer-metadata` of the peer's sidecar, once it has been seen on this connection. */
  peerMetadata: PeerMetadata | undefined;
  /** The cluster a network filter chose for a TCP proxy that names just one. */
  clusterName?: string | undefined;
  /** Why the connection was closed from here, in Envoy's words; absent while it was not. */
  localCloseReason?: string | undefined;
  /** Set by a network filter that closes the connection. */
  terminationDetails: string;
  /** Set beside it where an access log has flags of it. */
  terminationFlags?: number | undefined;
}

/** Who is on the other side, in the words of Istio's metric labels. */
export interface PeerMetadata {
  readonly workload: string;
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly cluster: string;
}
