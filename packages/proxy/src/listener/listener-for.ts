import { formatAddress, type SocketAddress } from "../net/socket-address.ts";

/** Of listeners by the addresses they are bound to: the one for a destination, else the one for any address of its port. */
export function listenerFor<Listener>(
  destination: SocketAddress,
  byAddress: ReadonlyMap<string, Listener>,
): Listener | undefined {
  if (destination.kind !== "ip") return undefined;
  const wildcard = destination.host.includes(":") ? "[::]" : "0.0.0.0";
  return byAddress.get(formatAddress(destination)) ?? byAddress.get(`${wildcard}:${destination.port}`);
}
