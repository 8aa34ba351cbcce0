import { create } from "@bufbuild/protobuf";
import { type OnDemandHosts, OnDemandHostsSchema } from "./gen/weft/route/v1/on_demand_hosts_pb.js";

/** Key of `OnDemandHosts` in the typed metadata of a route configuration. */
export const onDemandHostsKey = "weft.on_demand_hosts";

const entryBytes = 12;
const newline = 10;

/** The two halves of the hash made last: no array for each request. */
let high = 0;
let low = 0;

/** Hashes a host in lower case, its first `length` characters. */
function hash(text: string, length: number): void {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  high = a >>> 0;
  low = b >>> 0;
}

/** Which domains a virtual host has, without the port that may stand behind them. */
export interface NamedHost {
  readonly name: string;
  readonly domains: readonly string[];
}

/** The names of virtual hosts by their domains, as `HostNames` reads them: bytes, whatever their number. */
export function encodeHostNames(port: number, hosts: readonly NamedHost[]): OnDemandHosts {
  const names = Buffer.from(hosts.map(({ name }) => `${name}\n`).join(""));
  const entries: { readonly high: number; readonly low: number; readonly at: number }[] = [];
  let at = 0;
  for (const { name, domains } of hosts) {
    for (const domain of domains) {
      const text = domain.toLowerCase();
      hash(text, text.length);
      entries.push({ high, low, at });
    }
    at += Buffer.byteLength(name) + 1;
  }
  entries.sort((a, b) => a.high - b.high || a.low - b.low || a.at - b.at);
  const domains = Buffer.allocUnsafe(entries.length * entryBytes);
  entries.forEach((entry, i) => {
    domains.writeUInt32LE(entry.high, i * entryBytes);
    domains.writeUInt32LE(entry.low, i * entryBytes + 4);
    domains.writeUInt32LE(entry.at, i * entryBytes + 8);
  });
  return create(OnDemandHostsSchema, { port, names, domains });
}

/**
 * Finds the virtual host of a domain among thousands, in the bytes as they came:
 * a mesh of 10,000 services takes one megabyte, and no object for each.
 *
 * Knows hosts by their hash: it may take one for another once in 10¹⁴, never
 * fail to find one.
 */
export class HostNames {
  readonly #names: Buffer;
  readonly #domains: Buffer;
  readonly #suffix: string;

  /** @throws RangeError when it is not what `encodeHostNames` makes */
  constructor({ port, names, domains }: OnDemandHosts) {
    this.#names = Buffer.from(names.buffer, names.byteOffset, names.byteLength);
    this.#domains = Buffer.from(domains.buffer, domains.byteOffset, domains.byteLength);
    this.#suffix = `:${port}`;
    if (domains.length % entryBytes !== 0) throw new RangeError("domains has no whole number of entries");
    if (names.length > 0 && names.at(-1) !== newline)
      throw new RangeError("names does not end with a newline");
    for (let at = 8; at < domains.length; at += entryBytes) {
      if (this.#domains.readUInt32LE(at) >= names.length) throw new RangeError("a domain is of no name");
    }
  }

  /** @param host as a request names it, in lower case */
  find(host: string): string | undefined {
    hash(host, host.endsWith(this.#suffix) ? host.length - this.#suffix.length : host.length);
    const domains = this.#domains;
    let from = 0;
    let to = domains.length / entryBytes;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const at = middle * entryBytes;
      const difference = domains.readUInt32LE(at) - high || domains.readUInt32LE(at + 4) - low;
      if (difference === 0) return this.#nameAt(domains.readUInt32LE(at + 8));
      if (difference < 0) from = middle + 1;
      else to = middle;
    }
    return undefined;
  }

  #nameAt(at: number): string {
    return this.#names.toString("latin1", at, this.#names.indexOf(newline, at));
  }
}
