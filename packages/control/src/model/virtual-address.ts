/**
 * Where a service is called that has no address of its own: one address in each
 * family, from ranges that nothing else uses. The IPv6 address follows from the
 * IPv4 one, so that both are as stable as what is stored of one.
 */

/** Unique local (RFC 4193); behind it stand the 32 bits of the IPv4 address. */
const ipv6Prefix = "fd77:6566:7400::";

/** The IPv6 address, in its short form (RFC 5952), of the service whose IPv4 address this is. */
export function virtualIpv6(ipv4: string): string {
  const [a, b, c, d] = ipv4.split(".").map(Number) as [number, number, number, number];
  return `${ipv6Prefix}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}
