import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { maxChainLength } from "./certificate.ts";

/**
 * The DER of what the other end of a TLS connection presented, leaf first:
 * for `verifySvid` and `verifyPinnedChain`. Empty when it presented nothing.
 * On the server's side of Node 24.21 it holds the leaf only (nodejs/node#65579):
 * `completeChain` adds the intermediates a server knows.
 */
export function peerChain(socket: Pick<TLSSocket, "getPeerCertificate">): Buffer[] {
  const chain: Buffer[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw && chain.length < maxChainLength) {
    const raw: Buffer = next.raw;
    if (chain.some((earlier) => earlier.equals(raw))) break;
    chain.push(raw);
    next = next.issuerCertificate;
  }
  return chain;
}
