import { BlockList, isIP } from "node:net";
import { parseCidr } from "../config/values.ts";

/**
 * Addresses that are not the public Internet's: this machine, its link and its
 * cloud's metadata, private networks, and what only looks like another address.
 *
 * @see RFC 6890 and the IANA registries of special-purpose addresses
 */
const special: readonly string[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
  "::/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
  "5f00::/16",
  "fc00::/7",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
];

/** Which addresses keys may be fetched from: public ones, and those an operator named. */
export class AddressGuard {
  readonly #special = listOf(special);
  readonly #allowed: BlockList;

  /** @param allowed addresses and ranges, which must parse */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = listOf(allowed);
  }

  /** Also with a zone, and an IPv4 address written as IPv6. */
  isAllowed(address: string): boolean {
    return this.isNamed(address) || (isIP(address.split("%")[0]!) !== 0 && !has(this.#special, address));
  }

  /** Whether an operator named it: a network that is trusted even without TLS. */
  isNamed(address: string): boolean {
    return has(this.#allowed, address);
  }
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const { address, prefixLength } = parseCidr(range)!;
    list.addSubnet(address, prefixLength, isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

function has(list: BlockList, address: string): boolean {
  const [bare = ""] = address.split("%");
  const family = isIP(bare);
  return family !== 0 && list.check(bare, family === 4 ? "ipv4" : "ipv6");
}
