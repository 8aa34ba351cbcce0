import { BlockList, isIPv6 } from "node:net";
import type { CidrRange } from "../listener/listener-plan.ts";
import type { SocketAddress } from "../net/socket-address.ts";

/** True for addresses inside `range`; a pipe is in none. IPv4-mapped IPv6 addresses count as IPv4. */
export function compileRange(range: CidrRange): (address: SocketAddress) => boolean {
  const isV6Range = isIPv6(range.address);
  const list = new BlockList();
  list.addSubnet(range.address, range.prefixLength, isV6Range ? "ipv6" : "ipv4");
  // The same client asks again and again: remembering one answer spares most checks.
  let lastHost = "";
  let lastAnswer = false;
  return (address) => {
    if (address.kind !== "ip") return false;
    if (address.host === lastHost) return lastAnswer;
    lastHost = address.host;
    const host =
      !isV6Range && address.host.startsWith("::ffff:") ? address.host.slice("::ffff:".length) : address.host;
    lastAnswer = list.check(host, isIPv6(host) ? "ipv6" : "ipv4");
    return lastAnswer;
  };
}
