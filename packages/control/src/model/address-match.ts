import { isIPv4 } from "node:net";
import { parseCidr } from "../config/values.ts";

/** Where the connections of a match come from and go to; what is left out is any. */
export interface AddressMatch {
  readonly to?: readonly Subnet[];
  readonly from?: readonly Subnet[];
}

/** Its address has zeros behind the prefix: equal subnets are written alike. */
export interface Subnet {
  readonly address: string;
  readonly prefixLength: number;
}

/** Undefined where any address will do. @param spec one that was checked */
export function addressMatch(spec: {
  readonly destinationSubnets?: readonly string[];
  readonly sourceSubnet?: string;
}): AddressMatch | undefined {
  const to = spec.destinationSubnets ?? [];
  if (to.length === 0 && !spec.sourceSubnet) return undefined;
  return {
    ...(to.length > 0 ? { to: to.map(parseSubnet) } : {}),
    ...(spec.sourceSubnet ? { from: [parseSubnet(spec.sourceSubnet)] } : {}),
  };
}

/** @param text a CIDR that was checked */
export function parseSubnet(text: string): Subnet {
  const { address, prefixLength } = parseCidr(text)!;
  const width = isIPv4(address) ? 32 : 128;
  const rest = BigInt(width - prefixLength);
  const masked = (numberOf(address) >> rest) << rest;
  return { address: width === 32 ? textOfIpv4(masked) : textOfIpv6(masked), prefixLength };
}

export function isSingleAddress({ address, prefixLength }: Subnet): boolean {
  return prefixLength === (isIPv4(address) ? 32 : 128);
}

function numberOf(address: string): bigint {
  if (isIPv4(address)) return address.split(".").reduce((sum, part) => (sum << 8n) + BigInt(part), 0n);
  // One form for all ways of writing it, without an IPv4 address inside.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::");
  const words = (text: string | undefined) => (text ? text.split(":") : []);
  const [left, right] = [words(head), words(tail)];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].reduce((sum, word) => (sum << 16n) + BigInt(`0x${word}`), 0n);
}

function textOfIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".");
}

function textOfIpv6(value: bigint): string {
  const words = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 65_535n).toString(16));
  return new URL(`http://[${words.join(":")}]`).hostname.slice(1, -1);
}
