import type { Socket } from "node:net";
import { libcFunction } from "./libc.ts";

/** In seconds and numbers; what is undefined is the system's. @see envoy.config.core.v3.TcpKeepalive */
export interface TcpKeepalivePlan {
  readonly timeS: number | undefined;
  readonly intervalS: number | undefined;
  readonly probes: number | undefined;
}

type SetSockOpt = (fd: number, level: number, option: number, value: Buffer, length: number) => number;

const solSocket = 1;
const soKeepalive = 9;
const ipprotoTcp = 6;
const tcpKeepIdle = 4;
const tcpKeepInterval = 5;
const tcpKeepCount = 6;

let setsockopt: SetSockOpt | undefined;

/**
 * Lets the kernel find out whether the peer of an idle connection is still
 * there. On Linux exactly as planned; elsewhere Node offers the time only.
 */
export function keepAlive(socket: Socket, plan: TcpKeepalivePlan): void {
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1;
  if (process.platform !== "linux" || fd < 0) {
    socket.setKeepAlive(true, (plan.timeS ?? 0) * 1000);
    return;
  }
  set(fd, solSocket, soKeepalive, 1);
  if (plan.timeS !== undefined) set(fd, ipprotoTcp, tcpKeepIdle, plan.timeS);
  if (plan.intervalS !== undefined) set(fd, ipprotoTcp, tcpKeepInterval, plan.intervalS);
  if (plan.probes !== undefined) set(fd, ipprotoTcp, tcpKeepCount, plan.probes);
}

/** A connection without the option still works: what the kernel refuses is let be. */
function set(fd: number, level: number, option: number, number: number): void {
  const value = Buffer.alloc(4);
  value.writeInt32LE(number);
  setsockopt ??= libcFunction("int setsockopt(int, int, int, void *, uint32_t)") as SetSockOpt;
  setsockopt(fd, level, option, value, value.length);
}
