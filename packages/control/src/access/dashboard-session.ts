import type { IncomingMessage } from "node:http";
import type { Caller } from "../api/caller.ts";
import { ApiRefusal } from "../api/refusal.ts";
import type { DashboardSessions } from "../dashboard/sessions.ts";
import { refuseOtherSites } from "./same-site.ts";

export const howToOpen = "run 'weft dashboard': it opens an address that works once";

/** Cookies do not tell ports apart, and several control planes may run here. */
export function sessionCookieName({ socket }: IncomingMessage): string {
  return `weft-dashboard-${socket.localPort}`;
}

/** Who has logged in with this browser; undefined: nobody. They only look, whatever else they may. */
export function sessionCaller(request: IncomingMessage, sessions: DashboardSessions): Caller | undefined {
  const wanted = `${sessionCookieName(request)}=`;
  const pairs = (request.headers.cookie ?? "").split(/; */);
  const session = pairs.find((pair) => pair.startsWith(wanted))?.slice(wanted.length);
  const opener = session === undefined ? undefined : sessions.openerOf(session);
  const address = request.socket.remoteAddress ?? "";
  return opener && { name: opener.name, proof: "session", role: "read", address };
}

/**
 * Browsers of this machine with a session, and nobody else: for a listener without TLS.
 * A name that was made to resolve to this machine is refused.
 *
 * @throws ApiRefusal 401, 403
 */
export function authenticateHere(
  request: IncomingMessage,
  sessions: DashboardSessions,
  neighbours?: readonly string[],
): Caller {
  requireThisMachine(request, neighbours);
  refuseOtherSites(request);
  const caller = sessionCaller(request, sessions);
  if (caller) return caller;
  throw new ApiRefusal(401, { error: "nobody has logged in here", hint: howToOpen });
}

/**
 * `neighbours` are addresses that count as this machine's: its own at the other end of a bridge.
 *
 * @throws ApiRefusal 403
 */
export function requireThisMachine(
  { socket, headers }: Pick<IncomingMessage, "socket" | "headers">,
  neighbours: readonly string[] = [],
): void {
  const { remoteAddress = "", localAddress = "" } = socket;
  const isHere =
    isLoopback(remoteAddress) || remoteAddress === localAddress || neighbours.includes(remoteAddress);
  const host = hostNameOf(headers.host ?? "");
  if (isHere && (host === "localhost" || isLoopback(host) || host === localAddress)) return;
  throw new ApiRefusal(403, {
    error: "the dashboard answers this machine alone",
    hint: "forward its port: ssh -L 15014:127.0.0.1:15014 HOST; see docs/operators.md for --api-listen; where this is a container or namespace, --dashboard-from",
  });
}

/** Of a `Host` header, without port and brackets; "" where it is none. */
export function hostNameOf(header: string): string {
  return /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(header)?.[1]?.replace(/^\[|\]$/g, "") ?? "";
}

function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(address) || address === "::1";
}
