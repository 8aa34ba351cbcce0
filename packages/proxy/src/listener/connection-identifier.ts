import type { Socket } from "node:net";
import type { DynamicMetadata } from "../layer/dynamic-metadata.ts";
import { type ProxyHeader, parseProxyHeader } from "../net/proxy-protocol.ts";
import { formatAddress } from "../net/socket-address.ts";
import type { Timers } from "../net/timers.ts";
import type { ListenerStats } from "./downstream-stats.ts";
import type { ConnectionFacts } from "./filter-chain-matcher.ts";
import { FirstBytes } from "./first-bytes.ts";
import { inspect } from "./inspect.ts";
import type { ListenerFilters } from "./listener-plan.ts";
import { ProxyProtocolGate } from "./proxy-protocol-gate.ts";
import { ServerFirstPorts } from "./server-first-ports.ts";

/** What an identified connection is given to. */
export interface IdentifiedConnection {
  readonly socket: Socket;
  readonly facts: ConnectionFacts;
  /** What has been read of it: to be handed on. */
  readonly initial: Buffer;
  readonly startMs: number;
  /** Given where nothing was looked at because this port's servers speak first: wants to see the client's first bytes. */
  readonly onFirstRead: ((bytes: Buffer) => void) | undefined;
}

export interface IdentifierOptions {
  readonly filters: ListenerFilters;
  readonly stats: ListenerStats;
  readonly timers: Timers;
  /** Whether the choice of a filter chain depends on what the client sends first. */
  needsInspection(facts: ConnectionFacts): boolean;
  /** The listener to hand a connection to for its destination; true when it took it. */
  handOver(connection: IdentifiedConnection): boolean;
  onIdentified(connection: IdentifiedConnection): void;
  onRefused(facts: ConnectionFacts, reason: string): void;
}

/** The addresses of the header in place of the connection's own. */
function withHeader(
  facts: ConnectionFacts,
  header: ProxyHeader | undefined,
  metadata: DynamicMetadata | undefined,
): ConnectionFacts {
  if (!header) return facts;
  const { addresses } = header;
  const places = addresses && {
    local: addresses.destination,
    remote: addresses.source,
    directRemote: facts.remote,
  };
  return { ...facts, ...places, proxyHeader: header, metadata };
}

const nothing = Buffer.alloc(0);

/**
 * Finds out what a connection is, as far as its listener's rules require: what
 * a PROXY header says of it, then whether it is TLS or HTTP. What does not
 * depend on the client's first bytes never waits for them.
 */
export class ConnectionIdentifier {
  readonly #options: IdentifierOptions;
  readonly #proxyProtocol: ProxyProtocolGate | undefined;
  readonly #serverFirst = new ServerFirstPorts();

  constructor(options: IdentifierOptions) {
    this.#options = options;
    const { proxyProtocol } = options.filters;
    this.#proxyProtocol = proxyProtocol && new ProxyProtocolGate(proxyProtocol);
  }

  /** A connection fresh from the kernel. */
  accept(socket: Socket, facts: ConnectionFacts, startMs: number): void {
    if (!this.#proxyProtocol) this.#route(socket, facts, undefined, startMs);
    else this.#readProxyHeader(this.#proxyProtocol, socket, facts, startMs);
  }

  /** A connection another listener accepted, `initial` being what that one has read of it. */
  takeOver({ socket, facts, initial, startMs }: IdentifiedConnection): void {
    const first = initial.length === 0 ? undefined : this.#firstBytes(socket, facts, startMs, initial);
    this.#inspect(socket, facts, first, startMs);
  }

  #readProxyHeader(gate: ProxyProtocolGate, socket: Socket, facts: ConnectionFacts, startMs: number): void {
    const first = this.#firstBytes(socket, facts, startMs);
    first.read((bytes) => {
      const result = parseProxyHeader(bytes);
      if (result.kind === "incomplete") return false;
      const verdict = gate.judge(result);
      if (verdict.kind === "refuse") {
        this.#release(first);
        socket.destroy();
        this.#options.onRefused(facts, verdict.reason);
        return true;
      }
      first.consume(verdict.consumed);
      this.#route(socket, withHeader(facts, verdict.header, verdict.metadata), first, startMs);
      return true;
    });
  }

  #route(socket: Socket, facts: ConnectionFacts, first: FirstBytes | undefined, startMs: number): void {
    const initial = first?.peek() ?? nothing;
    if (!this.#options.handOver({ socket, facts, initial, startMs, onFirstRead: undefined })) {
      this.#inspect(socket, facts, first, startMs);
    } else if (first) this.#release(first);
  }

  #inspect(socket: Socket, facts: ConnectionFacts, first: FirstBytes | undefined, startMs: number): void {
    const { filters, needsInspection } = this.#options;
    const { tlsInspector, httpInspector } = filters;
    if (!(tlsInspector || httpInspector) || !needsInspection(facts)) {
      this.#deliver(socket, facts, first, startMs);
      return;
    }
    const port = formatAddress(facts.local);
    if (this.#serverFirst.has(port)) {
      this.#deliver(socket, facts, first, startMs, (bytes) => {
        const seen = inspect(bytes, { tls: true, http: true });
        if (seen && (seen.hello || seen.httpProtocol !== "")) this.#serverFirst.forget(port);
      });
      return;
    }
    const reader = first ?? this.#firstBytes(socket, facts, startMs);
    reader.read((bytes) => {
      const seen = inspect(bytes, { tls: tlsInspector, http: httpInspector });
      if (!seen) return false;
      const { hello, httpProtocol, transportProtocol } = seen;
      const applicationProtocols = hello?.alpnProtocols ?? (httpProtocol === "" ? [] : [httpProtocol]);
      const serverName = hello?.serverName ?? "";
      this.#deliver(
        socket,
        { ...facts, transportProtocol, applicationProtocols, serverName },
        reader,
        startMs,
      );
      return true;
    });
  }

  #deliver(
    socket: Socket,
    facts: ConnectionFacts,
    first: FirstBytes | undefined,
    startMs: number,
    onFirstRead?: (bytes: Buffer) => void,
  ): void {
    const initial = first ? this.#release(first) : nothing;
    this.#options.onIdentified({ socket, facts, initial, startMs, onFirstRead });
  }

  #firstBytes(
    socket: Socket,
    facts: ConnectionFacts,
    startMs: number,
    initial: Buffer = nothing,
  ): FirstBytes {
    const { filters, stats, timers, onIdentified } = this.#options;
    stats.preCxActive.value += 1;
    const events = {
      onTimeout: (bytes: Buffer) => {
        stats.preCxActive.value -= 1;
        stats.preCxTimeout.value += 1;
        if (!filters.continueOnTimeout) {
          socket.destroy();
          return;
        }
        // A client that waits this long waits for its server.
        if (bytes.length === 0) this.#serverFirst.add(formatAddress(facts.local));
        onIdentified({ socket, facts, initial: bytes, startMs, onFirstRead: undefined });
      },
      onGone: () => {
        stats.preCxActive.value -= 1;
        stats.preCxRemoteClose.value += 1;
      },
    };
    return new FirstBytes(socket, { timers, timeoutMs: filters.timeoutMs, initial }, events);
  }

  #release(first: FirstBytes): Buffer {
    this.#options.stats.preCxActive.value -= 1;
    return first.release();
  }
}
