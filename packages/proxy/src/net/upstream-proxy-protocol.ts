import { encodeProxyV1, encodeProxyV2 } from "./encode-proxy-header.ts";
import type { ProxyHeader, ProxyTlv } from "./proxy-protocol.ts";
import type { SocketAddress } from "./socket-address.ts";

/** The PROXY header an endpoint wants first on each connection. */
export interface UpstreamProxyProtocol {
  readonly version: 1 | 2;
  /** Sent in every header of version 2. */
  readonly addedTlvs: readonly ProxyTlv[];
  /** Whether a TLV of the client's own header is sent on. */
  passesTlv(type: number): boolean;
}

/** Whom a connection is made for. */
export interface ProxiedClient {
  readonly remote: SocketAddress;
  readonly local: SocketAddress;
  readonly proxyHeader?: ProxyHeader | undefined;
}

/**
 * The header for a connection made on behalf of `client`: its address and the
 * one it dialled, as a PROXY header of its own named them where there was one.
 *
 * @see envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport
 */
export function proxyHeaderFor(plan: UpstreamProxyProtocol, client: ProxiedClient): Buffer {
  const { remote, local, proxyHeader } = client;
  if (plan.version === 1) return encodeProxyV1(remote, local);
  const added = new Set(plan.addedTlvs.map(({ type }) => type));
  const passed = (proxyHeader?.tlvs ?? []).filter(({ type }) => plan.passesTlv(type) && !added.has(type));
  return encodeProxyV2(remote, local, [...plan.addedTlvs, ...passed]);
}

/** The header for a connection of this proxy's own: LOCAL, or UNKNOWN in version 1. */
export function proxyHeaderForItself({ version }: UpstreamProxyProtocol): Buffer {
  return version === 1 ? encodeProxyV1(nobody, nobody) : encodeProxyV2(nobody, nobody, []);
}

const nobody: SocketAddress = { kind: "pipe", path: "" };
