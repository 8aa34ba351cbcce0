import type { Diagnostics } from "@weft/base/diagnostics";
import type { Origin } from "@weft/base/origin";
import type { GatewayListener, GatewayRole, GatewayServer } from "./gateway.ts";

/** A server as it is written, of whichever API. */
export interface WrittenServer {
  readonly server: GatewayServer;
  readonly port: number;
  /** Undefined: every address. */
  readonly bind: string | undefined;
  readonly at: Origin;
}

/** A listener as it is put together, with where its servers were written. */
interface Draft extends Omit<GatewayListener, "servers"> {
  readonly servers: GatewayServer[];
  readonly first: Origin;
  /** Hosts of TLS servers: two for one name could not be told apart. */
  readonly hosts: Map<string, Origin>;
}

/**
 * What a gateway serves of these servers. They share a port where all of them
 * are plain HTTP, or all of them TLS for different hosts; where they do not, the
 * first has the port, and the other is reported and not served.
 *
 * @param listenPort where the gateway listens for a port that Gateways name
 */
export function mergeGateways(
  written: readonly WrittenServer[],
  listenPort: (port: number) => number,
  diagnostics: Diagnostics,
): GatewayRole {
  const drafts = new Map<string, Draft>();
  for (const { server, port, bind, at } of written) {
    const kind = kindOf(server);
    const key = `${listenPort(port)} ${bind ?? ""}`;
    const draft: Draft = drafts.get(key) ?? {
      port,
      listenPort: listenPort(port),
      bind,
      kind,
      servers: [],
      first: at,
      hosts: new Map(),
    };
    const reason = refusalOf(draft, server, at);
    if (reason) {
      const message = `port ${port} of Gateway ${server.gateway} is not served: ${reason.why}`;
      diagnostics.conflict("IST0145", at, reason.other, message, "give one of them another port or host");
      continue;
    }
    draft.servers.push(server);
    drafts.set(key, draft);
  }
  const listeners = [...drafts.values()].map(({ first: _, hosts: __, ...listener }) => listener);
  return {
    listeners: listeners.sort(
      (a, b) => a.listenPort - b.listenPort || ((a.bind ?? "") < (b.bind ?? "") ? -1 : 1),
    ),
  };
}

function kindOf(server: Pick<GatewayServer, "protocol">): GatewayListener["kind"] {
  return server.protocol === "https" ? "tls" : server.protocol;
}

/** Why a server cannot join those of its port; its hosts are taken where it can. */
function refusalOf(
  draft: Draft,
  server: GatewayServer,
  at: Origin,
): { readonly why: string; readonly other: Origin } | undefined {
  const kind = kindOf(server);
  if (draft.kind !== kind)
    return { why: `another server has it for ${words[draft.kind]}`, other: draft.first };
  if (kind === "tcp" && draft.servers.length > 0)
    return { why: "another server has it, and TCP names no host", other: draft.first };
  if (kind === "http") return undefined;
  for (const { host } of server.hosts) {
    const other = draft.hosts.get(host);
    if (other) return { why: `another server has its host ${host}`, other };
  }
  for (const { host } of server.hosts) draft.hosts.set(host, at);
  return undefined;
}

const words = { http: "HTTP", tls: "TLS", tcp: "TCP" } as const;
