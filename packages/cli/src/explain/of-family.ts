import { isIPv6 } from "node:net";

/** The first of some addresses that is of a family of the others, as one that connects chooses; else the first there is. */
export function ofFamily(addresses: readonly string[], others: readonly string[]): string {
  const found = addresses.find((address) => others.some((other) => isIPv6(other) === isIPv6(address)));
  return found ?? addresses[0] ?? "127.0.0.1";
}
