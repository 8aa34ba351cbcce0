import { isIPv4 } from "node:net";
import { parseAddress } from "./cidr.ts";
import type { ProxyTlv } from "./proxy-protocol.ts";
import type { SocketAddress } from "./socket-address.ts";

type IpAddress = Extract<SocketAddress, { kind: "ip" }>;

/** `PROXY TCP4 …\r\n`; `PROXY UNKNOWN\r\n` for addresses that are not two of one family. */
export function encodeProxyV1(source: SocketAddress, destination: SocketAddress): Buffer {
  const pair = ipPair(source, destination);
  if (!pair) return Buffer.from("PROXY UNKNOWN\r\n");
  const [from, to] = pair;
  const family = isIPv4(from.host) ? "TCP4" : "TCP6";
  return Buffer.from(`PROXY ${family} ${from.host} ${to.host} ${from.port} ${to.port}\r\n`);
}

/**
 * A version 2 header with its TLVs; one that speaks for itself (LOCAL) for
 * addresses that are not two of one family. TLVs that would make it longer than
 * its 16-bit length can say are left out.
 */
export function encodeProxyV2(
  source: SocketAddress,
  destination: SocketAddress,
  tlvs: readonly ProxyTlv[],
): Buffer {
  const pair = ipPair(source, destination);
  if (!pair) return head(0x20, 0x00, 0);
  const [from, to] = pair;
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(from.port, 0);
  ports.writeUInt16BE(to.port, 2);
  const parts = [hostBytes(from.host), hostBytes(to.host), ports];
  let length = parts.reduce((sum, part) => sum + part.length, 0);
  for (const { type, value } of tlvs) {
    if (length + 3 + value.length > 0xffff) break;
    const tlv = Buffer.alloc(3);
    tlv[0] = type;
    tlv.writeUInt16BE(value.length, 1);
    parts.push(tlv, value);
    length += 3 + value.length;
  }
  return Buffer.concat([head(0x21, isIPv4(from.host) ? 0x11 : 0x21, length), ...parts]);
}

function head(command: number, family: number, length: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.write("\r\n\r\n\0\r\nQUIT\n", "latin1");
  bytes[12] = command;
  bytes[13] = family;
  bytes.writeUInt16BE(length, 14);
  return bytes;
}

function ipPair(source: SocketAddress, destination: SocketAddress): [IpAddress, IpAddress] | undefined {
  if (source.kind !== "ip" || destination.kind !== "ip") return undefined;
  return isIPv4(source.host) === isIPv4(destination.host) ? [source, destination] : undefined;
}

function hostBytes(host: string): Buffer {
  if (isIPv4(host)) return Buffer.from(host.split(".").map(Number));
  const bytes = Buffer.alloc(16);
  parseAddress(host)!.forEach((group, i) => {
    bytes.writeUInt16BE(group, i * 2);
  });
  return bytes;
}
