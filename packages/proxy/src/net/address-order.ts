import { isIPv6 } from "node:net";
import type { SocketAddress } from "./socket-address.ts";

/** @see envoy.config.cluster.v3.UpstreamConnectionOptions.HappyEyeballsConfig */
export interface AddressOrder {
  /** Undefined: that of the first address. */
  readonly firstFamily: "IPv4" | "IPv6" | undefined;
  /** How many of it are tried before one of the other, at the beginning. */
  readonly firstCount: number;
}

export const usualOrder: AddressOrder = { firstFamily: undefined, firstCount: 1 };

/**
 * The order to try addresses in: some of the preferred family, and from then on
 * of either family by turns, each as they were given (RFC 8305 §4).
 */
export function inTurns(
  addresses: readonly SocketAddress[],
  { firstFamily, firstCount }: AddressOrder,
): readonly SocketAddress[] {
  if (addresses.length < 2) return addresses;
  const familyOf = (address: SocketAddress) =>
    address.kind === "ip" && isIPv6(address.host) ? "IPv6" : "IPv4";
  const preferred = firstFamily ?? familyOf(addresses[0]!);
  const first = addresses.filter((address) => familyOf(address) === preferred);
  const second = addresses.filter((address) => familyOf(address) !== preferred);
  const ordered = first.splice(0, firstCount);
  while (first.length + second.length > 0) ordered.push(...second.splice(0, 1), ...first.splice(0, 1));
  return ordered;
}
