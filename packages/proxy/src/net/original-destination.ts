import type { Socket } from "node:net";
import { libcFunction } from "./libc.ts";
import type { SocketAddress } from "./socket-address.ts";

type GetSockOpt = (fd: number, level: number, option: number, value: Buffer, length: Buffer) => number;

const solIp = 0;
const solIpv6 = 41;
const soOriginalDst = 80;
const afInet6 = 10;

let getsockopt: GetSockOpt | undefined;

/**
 * The address a redirected client dialled (`SO_ORIGINAL_DST`), or undefined when
 * the connection was not redirected or the platform cannot say.
 */
export function originalDestination(socket: Socket): SocketAddress | undefined {
  if (process.platform !== "linux") return undefined;
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (fd === undefined || fd < 0) return undefined;
  const isV6 = socket.remoteFamily === "IPv6";
  return isV6 ? (read(fd, solIpv6) ?? read(fd, solIp)) : read(fd, solIp);
}

function read(fd: number, level: number): SocketAddress | undefined {
  const value = Buffer.alloc(28);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  getsockopt ??= libcFunction("int getsockopt(int, int, int, _Out_ void *, _Inout_ void *)") as GetSockOpt;
  if (getsockopt(fd, level, soOriginalDst, value, length) !== 0) return undefined;
  return decodeSockaddr(value);
}

/** `struct sockaddr_in` or `sockaddr_in6` as the kernel lays it out: family in host order, port in network order. */
export function decodeSockaddr(value: Buffer): SocketAddress {
  const port = value.readUInt16BE(2);
  if (value.readUInt16LE(0) !== afInet6) {
    return { kind: "ip", host: `${value[4]}.${value[5]}.${value[6]}.${value[7]}`, port };
  }
  const groups: string[] = [];
  for (let i = 8; i < 24; i += 2) groups.push(value.readUInt16BE(i).toString(16));
  const host = new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
  return { kind: "ip", host, port };
}
