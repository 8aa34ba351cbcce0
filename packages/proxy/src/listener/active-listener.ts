import type { Socket } from "node:net";
import { answerDirectly } from "../filters/answer-directly.ts";
import { TcpExchange } from "../filters/tcp-exchange.ts";
import { TcpSession } from "../filters/tcp-proxy.ts";
import type { TcpContext } from "../filters/tcp-service.ts";
import type { DrainState } from "../layer/drain-state.ts";
import { HttpConnection, type HttpConnectionOwner } from "../layer/http-connection.ts";
import type { LayerContext } from "../layer/http-service.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import type { RawSession } from "../layer/raw-session.ts";
import { plainAddress } from "../net/cidr.ts";
import { Connection } from "../net/connection.ts";
import { originalDestination } from "../net/original-destination.ts";
import { formatAddress, type SocketAddress } from "../net/socket-address.ts";
import { type AcceptedTls, acceptTls } from "../net/tls-accept.ts";
import { tellOver } from "../observe/observation.ts";
import { neverOverloaded } from "../overload/overload-state.ts";
import { AcceptedConnection } from "./accepted-connection.ts";
import { Admission, admit, askAgain } from "./admission.ts";
import { type CompiledChain, compileChain, isSameTransport, listenerStatName } from "./compiled-chain.ts";
import { ConnectionIdentifier, type IdentifiedConnection } from "./connection-identifier.ts";
import { countRefusal } from "./count-refusal.ts";
import type { DownstreamStats, ListenerStats } from "./downstream-stats.ts";
import { type ConnectionFacts, FilterChainMatcher } from "./filter-chain-matcher.ts";
import type { AnswerPlan, ListenerPlan } from "./listener-plan.ts";

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

/** A connection being served, and what serves it. */
interface Served {
  readonly connection: AcceptedConnection;
  chain: CompiledChain;
  http: HttpConnection | undefined;
  raw: RawSession | undefined;
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
  /** When its connections end with their answers. */
  readonly drainState: DrainState;
  readonly #context: ListenerContext;
  readonly #stats: ListenerStats;
  readonly #chains: FilterChainMatcher<CompiledChain>;
  readonly #defaultChain: CompiledChain | undefined;
  readonly #served = new Set<Served>();
  readonly #byHttp = new Map<HttpConnection, Served>();
  readonly #identifier: ConnectionIdentifier;
  /** Connections that others are being asked about. */
  readonly #asked = new Set<Admission>();
  #isLeaving = false;
  #successor: ActiveListener | undefined;

  constructor(plan: ListenerPlan, context: Omit<ListenerContext, "drain">, drain: DrainState) {
    this.plan = plan;
    this.drainState = drain;
    const overload = plan.bypassesOverload ? neverOverloaded : context.overload;
    this.#context = { ...context, overload, drain };
    this.#stats = context.stats.listener(listenerStatName(plan));
    this.#chains = new FilterChainMatcher(
      plan.chains.map((chain) => compileChain(chain, plan, this.#context)),
      plan.chainChoice,
    );
    this.#defaultChain = plan.defaultChain && compileChain(plan.defaultChain, plan, this.#context);
    this.#identifier = new ConnectionIdentifier({
      filters: plan.listenerFilters,
      stats: this.#stats,
      timers: context.timers,
      needsInspection: (facts) => this.#chains.needsInspection(facts),
      handOver: (connection) => this.#handToDestination(connection),
      onIdentified: (connection) => this.#dispatch(connection),
      onRefused: (facts, reason) => context.log("connection refused", { ...this.#describe(facts), reason }),
    });
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
    this.#stats.workerCxTotal.value += 1;
    this.#stats.workerCxActive.value += 1;
    const startMs = clock.monotonicMs();
    socket.once("close", () => {
      this.#stats.cxLengthMs.observe(clock.monotonicMs() - startMs);
      connections.active -= 1;
      this.#stats.cxActive.value -= 1;
      this.#stats.workerCxActive.value -= 1;
      this.#stats.cxDestroy.value += 1;
    });
    socket.on("error", ignore);
    socket.setNoDelay(true);
    const isPipe = socket.remoteAddress === undefined;
    let local: SocketAddress = isPipe ? (this.plan.addresses[0] ?? unknownPlace) : localOf(socket);
    const remote: SocketAddress = isPipe
      ? { kind: "pipe", path: "" }
      : { kind: "ip", host: plainAddress(socket.remoteAddress!), port: socket.remotePort ?? 0 };
    if (this.plan.listenerFilters.originalDst && !isPipe) local = originalDestination(socket) ?? local;
    this.#identifier.accept(
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

  /** Takes a connection another listener accepted. */
  takeOver(connection: IdentifiedConnection): void {
    this.#identifier.takeOver(connection);
  }

  /**
   * The connections move to `successor` where it would accept them. Where it
   * would not they end with their next answer; without a successor, as the
   * drain state says.
   */
  handOver(successor: ActiveListener | undefined): void {
    this.#successor = successor;
    // What was asked is by rules that are no longer: the client comes again.
    this.#endAsked();
    for (const served of [...this.#served]) {
      const next = successor?.adopt(served);
      if (next === "adopted") this.#forget(served);
      else if (next === "denied") this.#destroy(served);
      else if (successor) served.http?.drain();
    }
  }

  /** The process ends: every client is asked to leave now, and who comes still. */
  leave(): void {
    this.#isLeaving = true;
    for (const { http } of this.#served) http?.drain();
  }

  close(): void {
    this.#endAsked();
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
    const isPermitted = chain.plan.networkFilters.every(
      (filter) => filter.isAdmission || filter.onConnection(connection),
    );
    if (!isPermitted) return "denied";
    if (chain.asks) askAgain(chain.plan.networkFilters, connection, () => this.#destroy(served));
    served.chain = chain;
    if (served.http) {
      served.http.service = chain.http!;
      this.#byHttp.set(served.http, served);
    }
    this.#served.add(served);
    return "adopted";
  }

  #handToDestination(connection: IdentifiedConnection): boolean {
    const target = this.plan.useOriginalDst && this.#context.findListener(connection.facts.local);
    if (!target || target === this) return false;
    target.takeOver(connection);
    return true;
  }

  #dispatch(identified: IdentifiedConnection): void {
    const { socket, facts, initial } = identified;
    const chain = this.#chains.find(facts) ?? this.#defaultChain;
    if (!chain) {
      this.#stats.noFilterChainMatch.value += 1;
      this.#context.log("no filter chain matches the connection", this.#describe(facts));
      socket.destroy();
      return;
    }
    const { tls } = chain;
    if (!tls) {
      this.#serve(chain, identified, undefined);
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
          this.#serve(chain, { ...identified, socket: accepted.socket, initial: nothing }, accepted);
        },
        onRefused: (refusal, message) => {
          countRefusal(this.#stats, refusal);
          this.#context.log("TLS handshake failed", { ...this.#describe(facts), refusal, reason: message });
        },
      },
      facts.applicationProtocols,
    );
  }

  #serve(chain: CompiledChain, identified: IdentifiedConnection, tls: AcceptedTls | undefined): void {
    const { socket, facts, startMs } = identified;
    const connection = new AcceptedConnection(facts, tls, startMs);
    const decide = (refusing: NetworkFilter | undefined): void => {
      if (refusing) this.#refuse(chain, connection, socket, refusing.refusalDelayMs ?? 0);
      else this.#begin(chain, identified, connection);
    };
    if (!chain.asks) {
      decide(admit(chain.plan.networkFilters, connection, socket));
      return;
    }
    const admission = new Admission(chain.plan.networkFilters, connection, socket, (refusing) => {
      this.#asked.delete(admission);
      decide(refusing);
    });
    admission.start();
    if (admission.isOver) return;
    this.#asked.add(admission);
    socket.once("close", () => this.#asked.delete(admission));
  }

  #endAsked(): void {
    for (const admission of [...this.#asked]) admission.end();
    this.#asked.clear();
  }

  #begin(chain: CompiledChain, identified: IdentifiedConnection, connection: AcceptedConnection): void {
    const { clock, timers, onFault } = this.#context;
    const { socket, initial, onFirstRead } = identified;
    const stream = new Connection(socket, {
      timers,
      bufferLimitBytes: this.plan.bufferLimitBytes,
      onFault,
      hasWaited: chain.asks,
    });
    const served: Served = { connection, chain, http: undefined, raw: undefined };
    this.#served.add(served);
    if (chain.http) {
      const http = new HttpConnection(stream, connection, chain.http, this);
      served.http = http;
      this.#byHttp.set(http, served);
      if (this.#isLeaving) http.drain();
      http.start(initial);
      return;
    }
    const onOver = () => this.forgetRaw(served);
    if (chain.tcp) {
      const exchange = new TcpExchange(connection, this.plan.trafficDirection, clock.now());
      served.raw = new TcpSession(chain.tcp, stream, exchange, onOver, onFirstRead);
    } else served.raw = answerDirectly(chain.plan.terminal as AnswerPlan, stream, onOver);
    served.raw.start(initial);
  }

  #refuse(chain: CompiledChain, connection: AcceptedConnection, socket: Socket, delayMs: number): void {
    const { facts, terminationDetails } = connection;
    this.#context.log("connection refused", { ...this.#describe(facts), reason: terminationDetails });
    this.#logDenied(chain, connection);
    if (delayMs === 0) socket.destroy();
    else {
      const timer = this.#context.clock.setTimer(() => socket.destroy(), delayMs);
      socket.once("close", () => timer.cancel());
    }
  }

  forgetRaw(served: object): void {
    this.#served.delete(served as Served);
    this.#successor?.forgetRaw(served);
  }

  /** A refused connection is still a line in a TCP proxy's access log. */
  #logDenied(chain: CompiledChain, connection: AcceptedConnection): void {
    const { tcp } = chain;
    if (!tcp) return;
    const exchange = new TcpExchange(connection, this.plan.trafficDirection, this.#context.clock.now());
    exchange.endMs = this.#context.clock.monotonicMs();
    exchange.details = connection.terminationDetails;
    exchange.flags |= connection.terminationFlags ?? 0;
    for (const log of tcp.plan.accessLogs) log.log(exchange);
    tellOver(this.#context.observation, exchange);
  }

  #destroy(served: Served): void {
    served.http?.destroy();
    served.raw?.destroy();
  }

  #forget(served: Served): void {
    this.#served.delete(served);
    if (served.http) this.#byHttp.delete(served.http);
  }

  #describe(facts: ConnectionFacts): Record<string, unknown> {
    return {
      listener: this.plan.name,
      remote: formatAddress(facts.remote),
      local: formatAddress(facts.local),
      serverName: facts.serverName,
    };
  }
}

function localOf(socket: Socket): SocketAddress {
  return { kind: "ip", host: plainAddress(socket.localAddress ?? ""), port: socket.localPort ?? 0 };
}

function ignore(): void {}
