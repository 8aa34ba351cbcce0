import { isIPv6 } from "node:net";

/**
 * Where the application of a workload with these addresses is spoken to on its
 * own machine, in the order to be tried. One of both families may listen in
 * either, and one of IPv6 alone may have IPv4 for itself.
 */
export function loopbackAddresses(addresses: readonly string[]): readonly string[] {
  const [first = ""] = addresses;
  if (isIPv6(first)) return ["::1", "127.0.0.1"];
  return addresses.some(isIPv6) ? ["127.0.0.1", "::1"] : ["127.0.0.1"];
}
