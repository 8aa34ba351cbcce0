import type { TcpContext, TcpService } from "../filters/tcp-service.ts";
import { HttpService, type LayerContext } from "../layer/http-service.ts";
import { formatAddress } from "../net/socket-address.ts";
import type { DownstreamTlsPlan } from "../net/tls-plan.ts";
import type { AcceptedConnection } from "./accepted-connection.ts";
import type { DownstreamStats } from "./downstream-stats.ts";
import type { FilterChainMatch, FilterChainPlan, ListenerPlan } from "./listener-plan.ts";

/** A filter chain with what serves its connections; neither `http` nor `tcp` where it answers by itself. */
export interface CompiledChain {
  readonly name: string;
  readonly plan: FilterChainPlan;
  readonly tls: DownstreamTlsPlan | undefined;
  readonly match: FilterChainMatch;
  readonly http: HttpService | undefined;
  readonly tcp: TcpService | undefined;
  /** Whether others are asked about its connections. */
  readonly asks: boolean;
}

/** What a listener is called in statistics: its first address. */
export function listenerStatName({ addresses, name }: ListenerPlan): string {
  return addresses.map(formatAddress)[0] ?? name;
}

export function compileChain(
  plan: FilterChainPlan,
  listener: ListenerPlan,
  context: LayerContext & TcpContext & { readonly stats: DownstreamStats },
): CompiledChain {
  const { name, terminal, match } = plan;
  const asks = plan.networkFilters.some((filter) => filter.ask);
  const chain = { name, plan, match, tls: plan.tls, http: undefined, tcp: undefined, asks };
  if (terminal.kind === "http") {
    const tls = terminal.codec === "http1" ? plan.tls && withoutHttp2(plan.tls) : plan.tls;
    const stats = context.stats.http(terminal.statPrefix);
    const answers = context.stats.answers(listenerStatName(listener), terminal.statPrefix);
    return { ...chain, tls, http: new HttpService(terminal, context, stats, answers, listener) };
  }
  if (terminal.kind !== "tcp") return chain;
  const tcp: TcpService = {
    plan: terminal,
    stats: context.stats.tcp(terminal.statPrefix),
    direction: listener.trafficDirection,
    networkFilters: plan.networkFilters,
    context,
  };
  return { ...chain, tcp };
}

/** Whether the connection meets the transport requirements of a chain it was not accepted under. */
export function isSameTransport({ tls }: FilterChainPlan, connection: AcceptedConnection): boolean {
  if ((tls !== undefined) !== connection.isTls) return false;
  if (!tls) return true;
  if (connection.unverifiedPeer) return tls.acceptsUntrusted === true;
  if (tls.requireClientCertificate && !connection.peer) return false;
  return !(connection.peer && tls.matchesSan) || tls.matchesSan(connection.peer);
}

/** A protocol that is not spoken here is not offered: clients then choose HTTP/1.1. */
function withoutHttp2(tls: DownstreamTlsPlan): DownstreamTlsPlan {
  return { ...tls, alpnProtocols: tls.alpnProtocols.filter((protocol) => protocol !== "h2") };
}
