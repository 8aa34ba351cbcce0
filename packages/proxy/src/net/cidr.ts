import { isIPv4, isIPv6 } from "node:net";

/** An address range ready to be compared; IPv4 and IPv6 never match each other. */
export interface ParsedRange {
  readonly family: 4 | 6;
  readonly groups: readonly number[];
  readonly prefixLength: number;
}

/** Undefined when the address is not an IP address. */
export function parseRange(address: string, prefixLength: number): ParsedRange | undefined {
  const groups = parseAddress(address);
  if (!groups) return undefined;
  return { family: groups.length === 2 ? 4 : 6, groups, prefixLength };
}

/** 16-bit groups: two for IPv4, eight for IPv6. IPv4-mapped IPv6 addresses count as IPv4. */
export function parseAddress(text: string): readonly number[] | undefined {
  const address = plainAddress(text);
  if (isIPv4(address)) {
    const [a, b, c, d] = address.split(".").map(Number);
    return [(a! << 8) | b!, (c! << 8) | d!];
  }
  if (!isIPv6(address)) return undefined;
  let bare = address.split("%")[0]!;
  const dotted = /(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(bare);
  if (dotted) {
    const [, head, a, b, c, d] = dotted;
    const high = ((Number(a) << 8) | Number(b)).toString(16);
    const low = ((Number(c) << 8) | Number(d)).toString(16);
    bare = `${head}${high}:${low}`;
  }
  const [left = "", right] = bare.split("::");
  const parse = (side: string) =>
    side === "" ? [] : side.split(":").map((group) => Number.parseInt(group, 16));
  const before = parse(left);
  if (right === undefined) return before;
  const after = parse(right);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** `::ffff:10.0.0.1` as `10.0.0.1`; anything else unchanged. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

export function isInRange(groups: readonly number[], range: ParsedRange): boolean {
  if (groups.length !== range.groups.length) return false;
  let bits = range.prefixLength;
  for (let i = 0; i < groups.length && bits > 0; i++, bits -= 16) {
    const mask = bits >= 16 ? 0xffff : (0xffff << (16 - bits)) & 0xffff;
    if ((groups[i]! & mask) !== (range.groups[i]! & mask)) return false;
  }
  return true;
}

export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

/**
 * The network an IP address is in, as `address/length`: with the bits beyond
 * the length cleared, IPv6 in its short form.
 */
export function maskAddress(text: string, v4Length: number, v6Length: number): string {
  const groups = parseAddress(text) ?? [];
  const isV4 = groups.length === 2;
  const length = isV4 ? v4Length : v6Length;
  const masked = groups.map((group, i) => {
    const bits = Math.min(16, Math.max(0, length - i * 16));
    return group & (0xffff << (16 - bits)) & 0xffff;
  });
  if (isV4) {
    const [high = 0, low = 0] = masked;
    return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}/${length}`;
  }
  const whole = masked.map((group) => group.toString(16)).join(":");
  return `${new URL(`http://[${whole}]`).hostname.slice(1, -1)}/${length}`;
}
