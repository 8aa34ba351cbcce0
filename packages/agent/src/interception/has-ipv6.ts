import { networkInterfaces } from "node:os";

/** Whether this network namespace speaks IPv6 at all: its loopback interface has ::1 then. */
export function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some(({ family }) => family === "IPv6"));
}

/** What to listen on to be reached at all addresses of this network namespace. */
export function everyAddress(): readonly string[] {
  return hasIpv6() ? ["0.0.0.0", "::"] : ["0.0.0.0"];
}
