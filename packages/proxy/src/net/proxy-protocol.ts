import { isIPv4, isIPv6 } from "node:net";
import { plainAddress } from "./cidr.ts";
import type { SocketAddress } from "./socket-address.ts";

/** One type-length-value of a version 2 header. */
export interface ProxyTlv {
  readonly type: number;
  readonly value: Buffer;
}

/** What a PROXY header says of a connection. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** Undefined where the sender speaks for itself (LOCAL, UNKNOWN): the connection's own addresses hold. */
  readonly addresses: { readonly source: SocketAddress; readonly destination: SocketAddress } | undefined;
  readonly tlvs: readonly ProxyTlv[];
}

export type ProxyHeaderResult =
  | { readonly kind: "header"; readonly header: ProxyHeader; readonly length: number }
  | { readonly kind: "incomplete" }
  /** These bytes begin no PROXY header. */
  | { readonly kind: "absent" }
  | { readonly kind: "invalid"; readonly version: 1 | 2; readonly reason: string };

const v1Beginning = Buffer.from("PROXY ");
/** The longest line the specification allows, CRLF included. */
const maxV1Bytes = 107;
const v2Signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const v2HeadBytes = 16;
const tlvHeadBytes = 3;

const incomplete: ProxyHeaderResult = { kind: "incomplete" };
const absent: ProxyHeaderResult = { kind: "absent" };

/**
 * Reads a PROXY header, version 1 or 2, at the beginning of a connection's
 * bytes. Needs at most 64 KiB, which is what a version 2 header can announce.
 *
 * @see https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeaderResult {
  if (begins(bytes, v2Signature)) return bytes.length < v2HeadBytes ? incomplete : parseV2(bytes);
  if (begins(bytes, v1Beginning)) return bytes.length < v1Beginning.length ? incomplete : parseV1(bytes);
  return absent;
}

/** Whether the bytes are the beginning, or a part of it. */
function begins(bytes: Buffer, beginning: Buffer): boolean {
  const length = Math.min(bytes.length, beginning.length);
  return bytes.compare(beginning, 0, length, 0, length) === 0;
}

function parseV1(bytes: Buffer): ProxyHeaderResult {
  const invalid = (reason: string): ProxyHeaderResult => ({ kind: "invalid", version: 1, reason });
  const end = bytes.subarray(0, maxV1Bytes).indexOf("\r\n");
  if (end < 0) return bytes.length >= maxV1Bytes ? invalid("the line is too long") : incomplete;
  const words = bytes.toString("latin1", v1Beginning.length, end).split(" ");
  const length = end + 2;
  const [family, source = "", destination = "", sourcePort = "", destinationPort = ""] = words;
  if (family === "UNKNOWN") {
    return { kind: "header", header: { version: 1, addresses: undefined, tlvs: [] }, length };
  }
  const isAddress = family === "TCP4" ? isIPv4 : family === "TCP6" ? isIPv6 : undefined;
  if (!isAddress) return invalid("the protocol is not TCP4, TCP6 or UNKNOWN");
  if (words.length !== 5) return invalid("the line has not five fields");
  // A zone id names an interface of the sender's machine.
  if (![source, destination].every((host) => isAddress(host) && !host.includes("%"))) {
    return invalid(`an address is not of ${family}`);
  }
  if (![sourcePort, destinationPort].every(isPort)) return invalid("a port is not a number up to 65535");
  const addresses = {
    source: { kind: "ip", host: canonical(source), port: Number(sourcePort) },
    destination: { kind: "ip", host: canonical(destination), port: Number(destinationPort) },
  } as const;
  return { kind: "header", header: { version: 1, addresses, tlvs: [] }, length };
}

/** One spelling for each address: the shortest (RFC 5952), and IPv4 in IPv6's clothes as IPv4. */
function canonical(host: string): string {
  const plain = plainAddress(host);
  return isIPv4(plain) ? plain : shortest(plain);
}

function shortest(host: string): string {
  return new URL(`http://[${host}]`).hostname.slice(1, -1);
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** Bytes of one address of a family's high half-byte, by the transport STREAM in the low one. */
const addressBytes: Readonly<Record<number, number>> = { 17: 4, 33: 16 };

function parseV2(bytes: Buffer): ProxyHeaderResult {
  const invalid = (reason: string): ProxyHeaderResult => ({ kind: "invalid", version: 2, reason });
  const command = bytes[12]!;
  if (command >> 4 !== 2) return invalid(`the version is ${command >> 4}`);
  const isLocal = command === 0x20;
  if (!isLocal && command !== 0x21) return invalid(`the command is ${command & 15}`);
  const length = v2HeadBytes + bytes.readUInt16BE(14);
  const family = bytes[13]!;
  const size = addressBytes[family];
  if (!isLocal && size === undefined) {
    return invalid(`address family and transport 0x${family.toString(16).padStart(2, "0")} are not TCP`);
  }
  const addressesEnd = v2HeadBytes + (size === undefined ? 0 : 2 * size + 4);
  if (!isLocal && length < addressesEnd) return invalid("the header is too short for its addresses");
  if (bytes.length < length) return incomplete;
  // What a LOCAL header carries describes nobody: it is skipped whole.
  if (isLocal) {
    return { kind: "header", header: { version: 2, addresses: undefined, tlvs: [] }, length };
  }
  const tlvs = parseTlvs(bytes.subarray(addressesEnd, length));
  if (!tlvs) return invalid("a TLV is longer than the header");
  return { kind: "header", header: { version: 2, addresses: readAddresses(bytes, size!), tlvs }, length };
}

function readAddresses(bytes: Buffer, size: number) {
  const ports = v2HeadBytes + 2 * size;
  const address = (at: number, portAt: number) =>
    ({
      kind: "ip",
      host: formatHost(bytes.subarray(at, at + size)),
      port: bytes.readUInt16BE(portAt),
    }) as const;
  return { source: address(v2HeadBytes, ports), destination: address(v2HeadBytes + size, ports + 2) };
}

/** `::ffff:0:0/96`. */
const mappedPrefix = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);

function formatHost(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.compare(mappedPrefix, 0, 12, 0, 12) === 0) return bytes.subarray(12).join(".");
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(i).toString(16));
  return shortest(groups.join(":"));
}

function parseTlvs(bytes: Buffer): ProxyTlv[] | undefined {
  const tlvs: ProxyTlv[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + tlvHeadBytes > bytes.length) return undefined;
    const end = at + tlvHeadBytes + bytes.readUInt16BE(at + 1);
    if (end > bytes.length) return undefined;
    // Copied: the read buffer they lie in is used again.
    tlvs.push({ type: bytes[at]!, value: Buffer.from(bytes.subarray(at + tlvHeadBytes, end)) });
    at = end;
  }
  return tlvs;
}
