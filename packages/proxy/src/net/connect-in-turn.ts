import type { Socket } from "node:net";
import { plainAddress } from "./cidr.ts";
import { type ConnectEvents, type Connecting, connectTo } from "./connect.ts";
import type { SocketAddress } from "./socket-address.ts";
import { TimerEntry, type TimerOwner, type Timers } from "./timers.ts";
import type { UpstreamTlsPlan } from "./tls-plan.ts";

/** Where something is, by one address or by several. */
export interface Place {
  readonly address: SocketAddress;
  /** All of its addresses, in the order to be tried; empty where there is one. */
  readonly turns: readonly SocketAddress[];
}

export interface InTurnEvents extends ConnectEvents {
  /** Before each attempt. */
  onAttempt?(): void;
}

/** How a connection is made, wherever to: see `connectTo`. */
export interface ConnectOptions {
  readonly tls: UpstreamTlsPlan | undefined;
  readonly serverName: string;
  readonly localAddresses: readonly string[] | undefined;
  readonly preface: Buffer | undefined;
  readonly spoken?: readonly string[] | undefined;
  readonly timers: Timers;
}

/** How long an attempt is alone, as in Envoy. */
const aloneMs = 300;

/**
 * Connects to a place: to its addresses one after the other, the next one as
 * soon as one fails or has not answered for 300 ms, and what connects first is
 * kept (RFC 8305 §5). Ends in one event as `connectTo` does, `onFailed` with
 * what was wrong with the last. With TLS a connection is made once both ends are
 * known, as a server that accepts and says nothing is no better than none.
 */
export function connectInTurn(place: Place, options: ConnectOptions, events: InTurnEvents): Connecting {
  if (place.turns.length > 0) return new Turns(place, options, events);
  events.onAttempt?.();
  const { tls, serverName, localAddresses, preface, spoken } = options;
  return connectTo(place.address, tls, serverName, events, localAddresses, preface, spoken);
}

/** The address that a connection was made to; undefined where there is one only. */
export function connectedAddress(place: Place, socket: Socket): SocketAddress | undefined {
  const { remoteAddress, remotePort } = socket;
  if (place.turns.length === 0 || remoteAddress === undefined) return undefined;
  return { kind: "ip", host: plainAddress(remoteAddress), port: remotePort ?? 0 };
}

class Turns implements Connecting, TimerOwner {
  readonly #turns: readonly SocketAddress[];
  readonly #options: ConnectOptions;
  readonly #events: InTurnEvents;
  readonly #timer = new TimerEntry(this, 0);
  readonly #running = new Set<Connecting>();
  #next = 0;

  constructor({ turns }: Place, options: ConnectOptions, events: InTurnEvents) {
    this.#turns = turns;
    this.#options = options;
    this.#events = events;
    this.#tryNext();
  }

  cancel(): void {
    this.#timer.stop();
    for (const attempt of this.#running) attempt.cancel();
    this.#running.clear();
  }

  onTimer(): void {
    this.#tryNext();
  }

  #tryNext(): void {
    const { tls, serverName, localAddresses, preface, spoken, timers } = this.#options;
    const target = this.#turns[this.#next]!;
    this.#next += 1;
    if (this.#next < this.#turns.length) timers.start(this.#timer, aloneMs, timers.clock.monotonicMs());
    this.#events.onAttempt?.();
    const attempt = connectTo(
      target,
      tls,
      serverName,
      {
        onConnected: (socket, peer, alpn) => {
          this.#running.delete(attempt);
          this.cancel();
          this.#events.onConnected(socket, peer, alpn);
        },
        onFailed: (reason, message, transport) => {
          this.#running.delete(attempt);
          this.#timer.stop();
          if (this.#next < this.#turns.length) this.#tryNext();
          else if (this.#running.size === 0) this.#events.onFailed(reason, message, transport);
        },
      },
      localAddresses,
      preface,
      spoken,
    );
    this.#running.add(attempt);
  }
}
