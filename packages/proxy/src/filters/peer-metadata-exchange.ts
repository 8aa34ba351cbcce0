import type { DownstreamConnection, PeerMetadata } from "../layer/downstream-connection.ts";
import type { Exchange } from "../layer/exchange.ts";
import {
  decodePeerMetadata,
  encodePeerMetadata,
  peerMetadataHeader,
  peerMetadataIdHeader,
} from "../telemetry/peer-metadata.ts";
import { principalOf } from "./istio-labels.ts";

/**
 * Tells peers who we are and learns who they are, once per connection.
 *
 * The headers never reach the application and never pass through from it, so
 * nobody speaks for a sidecar but itself. What a peer says counts only over a
 * connection whose certificate was verified, and only for the namespace that
 * certificate names.
 */
export function createPeerMetadataExchange(
  local: PeerMetadata,
  nodeId: string,
): (exchange: Exchange, isSource: boolean) => void {
  const own = [peerMetadataHeader, encodePeerMetadata(local), peerMetadataIdHeader, nodeId];
  return (exchange, isSource) => {
    const headers = exchange.request!.headers;
    const encoded = headers.get(peerMetadataHeader);
    if (encoded !== undefined) {
      headers.remove(peerMetadataHeader);
      if (!isSource) remember(exchange.connection, encoded);
    }
    if (headers.has(peerMetadataIdHeader)) headers.remove(peerMetadataIdHeader);
    if (isSource) exchange.upstreamConnectionHeaders = own;
  };
}

function remember(connection: DownstreamConnection, encoded: string): void {
  if (connection.peerMetadata || !connection.peer) return;
  const metadata = decodePeerMetadata(encoded);
  const namespace = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\//.exec(principalOf(connection.peer))?.[1];
  if (!metadata || (namespace !== undefined && namespace !== metadata.namespace)) return;
  connection.peerMetadata = metadata;
}
