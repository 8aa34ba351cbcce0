import type { DownstreamConnection, PeerMetadata } from "../layer/downstream-connection.ts";
import type { DynamicMetadata } from "../layer/dynamic-metadata.ts";
import type { ProxyHeader } from "../net/proxy-protocol.ts";
import { formatAddress, type SocketAddress } from "../net/socket-address.ts";
import type { AcceptedTls } from "../net/tls-accept.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import type { ConnectionFacts } from "./filter-chain-matcher.ts";

let nextId = 0;

/** What became known of a connection while it was accepted. */
export class AcceptedConnection implements DownstreamConnection {
  readonly id: number;
  readonly facts: ConnectionFacts;
  readonly alpn: string;
  readonly isTls: boolean;
  readonly peer: PeerIdentity | undefined;
  readonly unverifiedPeer: PeerIdentity | undefined;
  readonly ownUris: readonly string[];
  readonly tlsVersion: string;
  readonly tlsCipher: string;
  readonly tlsServerName: string;
  readonly startMs: number;
  peerMetadata: PeerMetadata | undefined = undefined;
  clusterName: string | undefined = undefined;
  localCloseReason: string | undefined = undefined;
  terminationDetails = "";
  terminationFlags: number | undefined = undefined;
  metadata: DynamicMetadata | undefined;
  #remoteText: string | undefined = undefined;
  #localText: string | undefined = undefined;

  constructor(facts: ConnectionFacts, tls: Omit<AcceptedTls, "socket"> | undefined, startMs: number) {
    nextId += 1;
    this.id = nextId;
    this.facts = facts;
    this.metadata = facts.metadata;
    this.alpn = tls?.alpn ?? "";
    this.isTls = tls !== undefined;
    this.peer = tls?.peer;
    this.unverifiedPeer = tls?.unverifiedPeer;
    this.ownUris = tls?.ownUris ?? [];
    this.tlsVersion = tls?.version ?? "";
    this.tlsCipher = tls?.cipher ?? "";
    this.tlsServerName = tls?.serverName ?? "";
    this.startMs = startMs;
  }

  get remote(): SocketAddress {
    return this.facts.remote;
  }

  get directRemote(): SocketAddress {
    return this.facts.directRemote ?? this.facts.remote;
  }

  get proxyHeader(): ProxyHeader | undefined {
    return this.facts.proxyHeader;
  }

  get local(): SocketAddress {
    return this.facts.local;
  }

  get requestedServerName(): string {
    return this.facts.serverName;
  }

  get remoteText(): string {
    this.#remoteText ??= formatAddress(this.remote);
    return this.#remoteText;
  }

  get localText(): string {
    this.#localText ??= formatAddress(this.local);
    return this.#localText;
  }
}
