import type { Clock } from "@weft/base/clock";
import type { Breakers, Cluster, Endpoint } from "../cluster/cluster.ts";
import { serverNameOf } from "../cluster/server-name.ts";
import { plainAddress } from "../net/cidr.ts";
import type { Connecting } from "../net/connect.ts";
import { connectedAddress, connectInTurn } from "../net/connect-in-turn.ts";
import { Connection } from "../net/connection.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import { keepAlive } from "../net/tcp-keepalive.ts";
import { TimerEntry, type TimerOwner, type Timers } from "../net/timers.ts";
import type { UpstreamTlsPlan } from "../net/tls-plan.ts";
import type { UpstreamConnectionInfo } from "./upstream-connection-info.ts";

export interface PoolContext {
  readonly timers: Timers;
  readonly onFault: (error: unknown) => void;
  /** What each connection begins with. Speaks for one client: a connection then serves one request. */
  readonly preface?: Buffer | undefined;
}

/** An established connection nobody reads from yet. */
export interface MadeConnection {
  readonly connection: Connection;
  readonly info: UpstreamConnectionInfo;
  /** What TLS agreed to speak (RFC 7301); empty when nothing was, or without TLS. */
  readonly alpn: string;
  /** The breakers it counts against, to be released when it is gone. */
  readonly counted: Breakers | undefined;
  readonly tls: UpstreamTlsPlan | undefined;
  /** Of the certificate it was made under. */
  readonly generation: number;
  readonly clock: Clock;
  readonly madeMs: number;
}

/** A pool that has connections made. */
export interface ConnectionOwner {
  readonly endpoint: Endpoint;
  readonly cluster: Cluster;
  readonly context: PoolContext;
  /** What its connections may speak, by their names in ALPN: offered where the configuration names nothing. */
  readonly spoken: readonly string[];
  onConnected(pending: PendingConnection, made: MadeConnection): void;
  onConnectFailed(pending: PendingConnection, isTimeout: boolean, transport: string, isTls: boolean): void;
}

const connectTimer = 0;

/** A connection being made. */
export class PendingConnection implements TimerOwner {
  readonly #owner: ConnectionOwner;
  readonly #counted: Breakers | undefined;
  readonly #timer = new TimerEntry(this, connectTimer);
  #connecting: Connecting | undefined;

  constructor(owner: ConnectionOwner, counted: Breakers | undefined) {
    this.#owner = owner;
    this.#counted = counted;
  }

  start(): void {
    const { endpoint, cluster, context } = this.#owner;
    const { timers } = context;
    const { tls } = endpoint;
    const generation = tls?.context.generation ?? 0;
    const { clock } = timers;
    const startMs = clock.monotonicMs();
    timers.start(this.#timer, cluster.plan.connectTimeoutMs, startMs);
    this.#connecting = connectInTurn(
      endpoint,
      {
        tls,
        serverName: serverNameOf(endpoint),
        localAddresses: cluster.plan.bindAddresses,
        preface: context.preface,
        spoken: this.#owner.spoken,
        timers,
      },
      {
        onAttempt: () => {
          cluster.stats.cxTotal.value += 1;
        },
        onConnected: (socket, peer, alpn) => {
          this.#timer.stop();
          const madeMs = clock.monotonicMs();
          cluster.stats.connections().onMade(madeMs - startMs);
          const { tcpKeepalive } = cluster.plan;
          if (tcpKeepalive) keepAlive(socket, tcpKeepalive);
          const connection = new Connection(socket, {
            timers,
            bufferLimitBytes: cluster.plan.bufferLimitBytes,
            onFault: context.onFault,
          });
          const { localAddress, localPort } = socket;
          const local: SocketAddress | undefined =
            localAddress === undefined
              ? undefined
              : { kind: "ip", host: plainAddress(localAddress), port: localPort ?? 0 };
          this.#owner.onConnected(this, {
            connection,
            info: { peer, local, remote: connectedAddress(endpoint, socket) },
            alpn,
            counted: this.#counted,
            tls,
            generation,
            clock,
            madeMs,
          });
        },
        onFailed: (_reason, message, transport) => {
          if (transport !== "") this.#fail(false, transport, true);
          else this.#fail(false, message === "" ? "" : `delayed connect error: ${message}`, false);
        },
      },
    );
  }

  onTimer(): void {
    this.#connecting?.cancel();
    this.#fail(true, "", false);
  }

  #fail(isTimeout: boolean, transport: string, isTls: boolean): void {
    this.#timer.stop();
    this.#counted?.connections.release();
    this.#owner.onConnectFailed(this, isTimeout, transport, isTls);
  }
}
