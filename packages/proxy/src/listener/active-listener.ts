import type { Socket } from "node:net";
import { TcpExchange } from "../filters/tcp-exchange.ts";
import { type TcpContext, type TcpService, TcpSession } from "../filters/tcp-proxy.ts";
import { HttpConnection, type HttpConnectionOwner } from "../layer/http-connection.ts";
import { HttpService, type LayerContext } from "../layer/http-service.ts";
import { plainAddress } from "../net/cidr.ts";
import { Connection } from "../net/connection.ts";
import { originalDestination } from "../net/original-destination.ts";
import { formatAddress, type SocketAddress } from "../net/socket-address.ts";
import { type AcceptedTls, acceptTls, type TlsRefusal } from "../net/tls-accept.ts";
import type { DownstreamTlsPlan } from "../net/tls-plan.ts";
import { neverOverloaded } from "../overload/overload-state.ts";
import { AcceptedConnection } from "./accepted-connection.ts";
import type { DownstreamStats, ListenerStats } from "./downstream-stats.ts";
import { type ConnectionFacts, FilterChainMatcher } from "./filter-chain-matcher.ts";
import { inspect } from "./inspect.ts";
import type { FilterChainMatch, FilterChainPlan, ListenerPlan } from "./listener-plan.ts";

/** What every listener of a process shares. */
export interface ListenerContext extends LayerContext, TcpContext {
  readonly stats: DownstreamStats;
  /** Connections open on all listeners, with their limit. */
  readonly connections: ConnectionLimit;
  /** The listener that serves an address, for `use_original_dst`. */
  findListener(address: SocketAddress): ActiveListener | undefined;
  /** For operators: connections that were refused, at debug level. */
  log(message: string, fields: Readonly<Record<string, unknown>>): void;
  /** For operators, what they should know of. */
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** A count with a ceiling. */
export class ConnectionLimit {
  readonly max: number;
  active = 0;

  constructor(max: number) {
    this.max = max;
  }
}

interface Chain {
  readonly plan: FilterChainPlan;
  readonly tls: DownstreamTlsPlan | undefined;
  readonly match: FilterChainMatch;
  readonly http: HttpService | undefined;
  readonly tcp: TcpService | undefined;
}

/** A connection being served, and what serves it. */
interface Served {
  readonly connection: AcceptedConnection;
  chain: Chain;
  readonly http: HttpConnection | undefined;
  readonly tcp: TcpSession | undefined;
}

const nothing = Buffer.alloc(0);
const unknownPlace: SocketAddress = { kind: "ip", host: "", port: 0 };

/**
 * One version of a listener: accepts connections, finds out what they are,
 * chooses their filter chain and has them served by it.
 *
 * When a newer version takes over, connections that its rules would accept as
 * well move to it and follow its policy from their next request on; the others
 * drain.
 */
export class ActiveListener implements HttpConnectionOwner {
  readonly plan: ListenerPlan;
  readonly #context: ListenerContext;
  readonly #stats: ListenerStats;
  readonly #chains: FilterChainMatcher<Chain>;
  readonly #defaultChain: Chain | undefined;
  readonly #served = new Set<Served>();
  readonly #byHttp = new Map<HttpConnection, Served>();
  #isDraining = false;
  #successor: ActiveListener | undefined;

  constructor(plan: ListenerPlan, context: ListenerContext) {
    this.plan = plan;
    this.#context = plan.bypassesOverload ? { ...context, overload: neverOverloaded } : context;
    this.#stats = context.stats.listener(plan.addresses.map(formatAddress)[0] ?? plan.name);
    this.#chains = new FilterChainMatcher(plan.chains.map((chain) => this.#compile(chain)));
    this.#defaultChain = plan.defaultChain && this.#compile(plan.defaultChain);
  }

  get connectionCount(): number {
    return this.#served.size;
  }

  /** Takes a connection fresh from the kernel, reading not yet begun. */
  accept(socket: Socket): void {
    const { connections, clock } = this.#context;
    this.#stats.cxTotal.value += 1;
    if (this.#refuses()) {
      socket.on("error", ignore);
      socket.destroy();
      return;
    }
    connections.active += 1;
    this.#stats.cxActive.value += 1;
    socket.once("close", () => {
      connections.active -= 1;
      this.#stats.cxActive.value -= 1;
      this.#stats.cxDestroy.value += 1;
    });
    socket.on("error", ignore);
    socket.setNoDelay(true);
    const startMs = clock.monotonicMs();
    const isPipe = socket.remoteAddress === undefined;
    let local: SocketAddress = isPipe ? (this.plan.addresses[0] ?? unknownPlace) : localOf(socket);
    const remote: SocketAddress = isPipe
      ? { kind: "pipe", path: "" }
      : { kind: "ip", host: plainAddress(socket.remoteAddress!), port: socket.remotePort ?? 0 };
    if (this.plan.listenerFilters.originalDst && !isPipe) local = originalDestination(socket) ?? local;
    const target = (this.plan.useOriginalDst && this.#context.findListener(local)) || this;
    target.identify(
      socket,
      { local, remote, serverName: "", transportProtocol: "raw_buffer", applicationProtocols: [] },
      startMs,
    );
  }

  /** Whether a limit is reached, which is counted. */
  #refuses(): boolean {
    const { connections, overload } = this.#context;
    const { maxConnections, ignoresGlobalLimit } = this.plan;
    if (maxConnections !== undefined && this.#stats.cxActive.value >= maxConnections) {
      this.#stats.cxOverflow.value += 1;
      return true;
    }
    if (!ignoresGlobalLimit && connections.active >= connections.max) {
      this.#stats.globalCxOverflow.value += 1;
      return true;
    }
    if (!overload.refusesConnection()) return false;
    this.#stats.cxOverloadReject.value += 1;
    return true;
  }

  /** Looks at the connection as far as this listener's rules require, then serves it. */
  identify(socket: Socket, facts: ConnectionFacts, startMs: number): void {
    const { tlsInspector, httpInspector, timeoutMs, continueOnTimeout } = this.plan.listenerFilters;
    // A choice that does not depend on the client's first bytes must not wait for them: the server may speak first.
    if (!(tlsInspector || httpInspector) || !this.#chains.needsInspection(facts)) {
      this.#dispatch(socket, facts, nothing, startMs);
      return;
    }
    this.#stats.preCxActive.value += 1;
    inspect(
      socket,
      { tls: tlsInspector, http: httpInspector, timeoutMs, timers: this.#context.timers },
      {
        onInspected: ({ bytes, transportProtocol, hello, httpProtocol }) => {
          this.#stats.preCxActive.value -= 1;
          const applicationProtocols = hello?.alpnProtocols ?? (httpProtocol === "" ? [] : [httpProtocol]);
          const seen = {
            ...facts,
            transportProtocol,
            applicationProtocols,
            serverName: hello?.serverName ?? "",
          };
          this.#dispatch(socket, seen, bytes, startMs);
        },
        onTimeout: (bytes) => {
          this.#stats.preCxActive.value -= 1;
          this.#stats.preCxTimeout.value += 1;
          if (continueOnTimeout) this.#dispatch(socket, facts, bytes, startMs);
          else socket.destroy();
        },
        onGone: () => {
          this.#stats.preCxActive.value -= 1;
        },
      },
    );
  }

  /** The connections move to `successor` where it would accept them, and drain otherwise. */
  handOver(successor: ActiveListener | undefined, graceMs: number): void {
    this.#successor = successor;
    for (const served of [...this.#served]) {
      const next = successor?.adopt(served);
      if (next === "adopted") this.#forget(served);
      else if (next === "denied") this.#destroy(served);
      else this.#drainServed(served, graceMs);
    }
  }

  /** Every connection ends after its exchange, all of them within `graceMs`. */
  drain(graceMs: number): void {
    this.#isDraining = true;
    for (const served of this.#served) this.#drainServed(served, graceMs);
  }

  close(): void {
    for (const served of [...this.#served]) this.#destroy(served);
  }

  onHttpConnectionClosed(http: HttpConnection): void {
    const served = this.#byHttp.get(http);
    if (served) this.#forget(served);
    else this.#successor?.onHttpConnectionClosed(http);
  }

  /** Whether this version's rules accept a connection made under an earlier one. */
  adopt(served: Served): "adopted" | "denied" | "drain" {
    const { connection } = served;
    const chain = this.#chains.find(connection.facts) ?? this.#defaultChain;
    if (!chain || !isSameTransport(chain.plan, connection)) return "drain";
    if ((chain.http === undefined) !== (served.http === undefined)) return "drain";
    if (!this.#isPermitted(chain, connection)) return "denied";
    served.chain = chain;
    if (served.http) {
      served.http.service = chain.http!;
      this.#byHttp.set(served.http, served);
    }
    this.#served.add(served);
    return "adopted";
  }

  #dispatch(socket: Socket, facts: ConnectionFacts, initial: Buffer, startMs: number): void {
    const chain = this.#chains.find(facts) ?? this.#defaultChain;
    if (!chain) {
      this.#stats.noFilterChainMatch.value += 1;
      this.#context.log("no filter chain matches the connection", this.#describe(facts));
      socket.destroy();
      return;
    }
    const { tls } = chain;
    if (!tls) {
      this.#serve(chain, socket, facts, undefined, initial, startMs);
      return;
    }
    acceptTls(
      socket,
      initial,
      tls,
      { timers: this.#context.timers, timeoutMs: chain.plan.transportConnectTimeoutMs },
      {
        onAccepted: (accepted) => {
          this.#stats.sslHandshake.value += 1;
          this.#serve(chain, accepted.socket, facts, accepted, nothing, startMs);
        },
        onRefused: (refusal, message) => {
          this.#countRefusal(refusal);
          this.#context.log("TLS handshake failed", { ...this.#describe(facts), refusal, reason: message });
        },
      },
    );
  }

  #serve(
    chain: Chain,
    socket: Socket,
    facts: ConnectionFacts,
    tls: AcceptedTls | undefined,
    initial: Buffer,
    startMs: number,
  ): void {
    const { clock, timers, onFault } = this.#context;
    const connection = new AcceptedConnection(facts, tls, startMs);
    if (!this.#isPermitted(chain, connection)) {
      this.#context.log("connection refused", {
        ...this.#describe(facts),
        reason: connection.terminationDetails,
      });
      this.#logDenied(chain, connection);
      socket.destroy();
      return;
    }
    const stream = new Connection(socket, { timers, bufferLimitBytes: this.plan.bufferLimitBytes, onFault });
    if (chain.http) {
      const http = new HttpConnection(stream, connection, chain.http, this);
      const served: Served = { connection, chain, http, tcp: undefined };
      this.#served.add(served);
      this.#byHttp.set(http, served);
      if (this.#isDraining) http.drain(0);
      http.start(initial);
      return;
    }
    const exchange = new TcpExchange(connection, this.plan.trafficDirection, clock.now());
    const tcp = new TcpSession(chain.tcp!, stream, exchange, () => {
      this.#served.delete(served);
      this.#successor?.forgetTcp(served);
    });
    const served: Served = { connection, chain, http: undefined, tcp };
    this.#served.add(served);
    tcp.start(initial);
  }

  forgetTcp(served: object): void {
    this.#served.delete(served as Served);
    this.#successor?.forgetTcp(served);
  }

  #isPermitted(chain: Chain, connection: AcceptedConnection): boolean {
    return chain.plan.networkFilters.every((filter) => filter.onConnection(connection));
  }

  /** A refused connection is still a line in a TCP proxy's access log. */
  #logDenied(chain: Chain, connection: AcceptedConnection): void {
    const { tcp } = chain;
    if (!tcp) return;
    const exchange = new TcpExchange(connection, this.plan.trafficDirection, this.#context.clock.now());
    exchange.endMs = this.#context.clock.monotonicMs();
    exchange.details = connection.terminationDetails;
    for (const log of tcp.plan.accessLogs) log.log(exchange);
  }

  #drainServed(served: Served, graceMs: number): void {
    if (served.http) {
      served.http.drain(graceMs);
      return;
    }
    this.#context.clock.setTimer(() => served.tcp!.destroy(), graceMs);
  }

  #destroy(served: Served): void {
    served.http?.destroy();
    served.tcp?.destroy();
  }

  #forget(served: Served): void {
    this.#served.delete(served);
    if (served.http) this.#byHttp.delete(served.http);
  }

  #countRefusal(refusal: TlsRefusal): void {
    this.#stats.sslConnectionError.value += 1;
    if (refusal === "no-certificate") this.#stats.sslFailVerifyNoCert.value += 1;
    else if (refusal === "certificate-not-verified") this.#stats.sslFailVerifyError.value += 1;
    else if (refusal === "name-not-accepted") this.#stats.sslFailVerifySan.value += 1;
  }

  #describe(facts: ConnectionFacts): Record<string, unknown> {
    return {
      listener: this.plan.name,
      remote: formatAddress(facts.remote),
      local: formatAddress(facts.local),
      serverName: facts.serverName,
    };
  }

  #compile(plan: FilterChainPlan): Chain {
    const { terminal, match } = plan;
    const direction = this.plan.trafficDirection;
    if (terminal.kind === "http") {
      const stats = this.#context.stats.http(terminal.statPrefix);
      const http = new HttpService(terminal, this.#context, stats, direction, this.plan.bufferLimitBytes);
      return {
        plan,
        match,
        tls: terminal.codec === "http1" ? plan.tls && withoutHttp2(plan.tls) : plan.tls,
        http,
        tcp: undefined,
      };
    }
    const tcp: TcpService = {
      plan: terminal,
      stats: this.#context.stats.tcp(terminal.statPrefix),
      direction,
      networkFilters: plan.networkFilters,
      context: this.#context,
    };
    return { plan, match, tls: plan.tls, http: undefined, tcp };
  }
}

/** Whether the connection meets the transport requirements of a chain it was not accepted under. */
function isSameTransport(plan: FilterChainPlan, connection: AcceptedConnection): boolean {
  const { tls } = plan;
  if ((tls !== undefined) !== connection.isTls) return false;
  if (!tls) return true;
  if (tls.requireClientCertificate && !connection.peer) return false;
  return !(connection.peer && tls.matchesSan) || tls.matchesSan(connection.peer);
}

/** A protocol that is not spoken here is not offered: clients then choose HTTP/1.1. */
function withoutHttp2(tls: DownstreamTlsPlan): DownstreamTlsPlan {
  return { ...tls, alpnProtocols: tls.alpnProtocols.filter((protocol) => protocol !== "h2") };
}

function localOf(socket: Socket): SocketAddress {
  return { kind: "ip", host: plainAddress(socket.localAddress ?? ""), port: socket.localPort ?? 0 };
}

function ignore(): void {}
