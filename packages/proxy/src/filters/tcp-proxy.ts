import type { Clock } from "@weft/base/clock";
import type { AttemptOutcome, Breakers, Cluster, ClusterDirectory, Endpoint } from "../cluster/cluster.ts";
import { requestHash } from "../cluster/request-hash.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { TcpStats } from "../listener/downstream-stats.ts";
import type { TcpProxyPlan } from "../listener/listener-plan.ts";
import { plainAddress } from "../net/cidr.ts";
import { type Connecting, connectTo } from "../net/connect.ts";
import { type CloseCause, Connection, type ConnectionHandler } from "../net/connection.ts";
import { TimerEntry, type TimerOwner, type Timers } from "../net/timers.ts";
import type { TcpExchange } from "./tcp-exchange.ts";

/** What every TCP proxy of a process shares. */
export interface TcpContext {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly clusters: ClusterDirectory;
  readonly onFault: (error: unknown) => void;
}

/** A TCP proxy ready to serve. */
export interface TcpService {
  readonly plan: TcpProxyPlan;
  readonly stats: TcpStats;
  readonly direction: Exchange["direction"];
  readonly networkFilters: readonly NetworkFilter[];
  readonly context: TcpContext;
}

const connectTimer = 0;
const idleTimer = 1;
const connected: AttemptOutcome = { kind: "connected" };
const localFailure: AttemptOutcome = { kind: "local-origin-failure" };

/**
 * One proxied TCP connection: bytes both ways, each side read only as fast as
 * the other takes it, each half closed on its own. Nothing is read from the
 * client until the upstream is connected.
 *
 * @see envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
 */
export class TcpSession implements TimerOwner {
  readonly #service: TcpService;
  readonly #exchange: TcpExchange;
  readonly #down: Connection;
  readonly #onOver: () => void;
  readonly #connectTimer = new TimerEntry(this, connectTimer);
  readonly #idleTimer = new TimerEntry(this, idleTimer);
  #up: Connection | undefined;
  #connecting: Connecting | undefined;
  #cluster: Cluster | undefined;
  #endpoint: Endpoint | undefined;
  #breakers: Breakers | undefined;
  #isActive = false;
  #isOver = false;
  #downEnded = false;
  #upEnded = false;

  constructor(service: TcpService, down: Connection, exchange: TcpExchange, onOver: () => void) {
    this.#service = service;
    this.#down = down;
    this.#exchange = exchange;
    this.#onOver = onOver;
  }

  get exchange(): Exchange {
    return this.#exchange;
  }

  start(initial: Buffer | undefined): void {
    const { stats, plan, context } = this.#service;
    stats.cxTotal.value += 1;
    this.#down.pause();
    this.#down.start(this.#fromDownstream, initial);
    const choice = plan.selectCluster(context.random());
    const cluster = context.clusters.get(choice.cluster);
    if (!cluster) {
      stats.cxNoRoute.value += 1;
      this.#end(ResponseFlag.NoClusterFound, "cluster_not_found");
      return;
    }
    this.#cluster = cluster;
    this.#exchange.cluster = cluster;
    const breakers = cluster.breakers("default");
    if (!breakers.connections.tryAcquire()) {
      this.#end(ResponseFlag.UpstreamOverflow, "upstream_connections_overflow");
      return;
    }
    this.#breakers = breakers;
    this.#connect(choice.subset);
  }

  /** Ends both sides now. */
  destroy(): void {
    this.#end(0, "connection_manager_drain");
  }

  onTimer(kind: number): void {
    if (kind === idleTimer) {
      this.#service.stats.idleTimeout.value += 1;
      this.#end(ResponseFlag.StreamIdleTimeout, "idle_timeout");
      return;
    }
    this.#connecting?.cancel();
    this.#cluster!.stats.cxConnectTimeout.value += 1;
    this.#connectFailed("connection timeout");
  }

  #connect(subset: ReturnType<TcpProxyPlan["selectCluster"]>["subset"]): void {
    const cluster = this.#cluster!;
    const exchange = this.#exchange;
    const { timers, clock } = this.#service.context;
    const endpoint = cluster.pick({
      subset,
      hash: requestHash(cluster.plan.balancer, this.#service.plan.hashPolicy, exchange),
      originalDestination: exchange.connection.local,
      avoid: undefined,
    });
    if (!endpoint) {
      cluster.stats.cxNoneHealthy.value += 1;
      this.#end(ResponseFlag.NoHealthyUpstream, "no_healthy_upstream");
      return;
    }
    this.#endpoint = endpoint;
    exchange.endpoint = endpoint;
    exchange.attempts += 1;
    cluster.stats.cxTotal.value += 1;
    timers.start(this.#connectTimer, cluster.plan.connectTimeoutMs, clock.monotonicMs());
    const { tls } = endpoint;
    this.#subset = subset;
    this.#connecting = connectTo(
      endpoint.address,
      tls,
      tls?.sni ?? "",
      {
        onConnected: (socket, peer) => {
          const { localAddress, localPort } = socket;
          exchange.upstreamPeer = peer;
          if (localAddress !== undefined) {
            exchange.upstreamLocal = { kind: "ip", host: plainAddress(localAddress), port: localPort ?? 0 };
          }
          this.#established(
            new Connection(socket, {
              timers,
              bufferLimitBytes: cluster.plan.bufferLimitBytes,
              onFault: this.#service.context.onFault,
            }),
          );
        },
        onFailed: (_reason, message, transport) => this.#connectFailed(transport || message),
      },
      cluster.plan.bindAddresses,
    );
  }

  #subset: ReturnType<TcpProxyPlan["selectCluster"]>["subset"];

  #connectFailed(message: string): void {
    const cluster = this.#cluster!;
    this.#connectTimer.stop();
    this.#connecting = undefined;
    cluster.stats.cxConnectFail.value += 1;
    cluster.report(this.#endpoint!, localFailure);
    this.#exchange.upstreamTransportFailure = message;
    if (this.#isOver) return;
    if (this.#exchange.attempts < this.#service.plan.maxConnectAttempts) this.#connect(this.#subset);
    else this.#end(ResponseFlag.UpstreamConnectionFailure, "upstream_connection_failure");
  }

  #established(up: Connection): void {
    const { timers, clock, onFault } = this.#service.context;
    const cluster = this.#cluster!;
    this.#connectTimer.stop();
    this.#connecting = undefined;
    this.#up = up;
    this.#isActive = true;
    this.#endpoint!.activeRequests += 1;
    cluster.stats.cxActive.value += 1;
    cluster.report(this.#endpoint!, connected);
    this.#exchange.upstreamFirstByteMs = clock.monotonicMs();
    try {
      for (const filter of this.#service.networkFilters) filter.onEstablished?.(this.#exchange);
    } catch (error) {
      onFault(error);
    }
    timers.start(this.#idleTimer, this.#service.plan.idleTimeoutMs, clock.monotonicMs());
    up.start(this.#fromUpstream);
    this.#down.resume();
  }

  readonly #fromDownstream: ConnectionHandler = {
    onRead: (bytes, start, end) => {
      this.#exchange.bytesReceived += end - start;
      this.#relay(bytes, start, end, this.#down, this.#up!);
    },
    onEnd: () => {
      this.#downEnded = true;
      if (this.#up) this.#halfClosed(this.#up);
      else this.#end(ResponseFlag.DownstreamConnectionTermination, "downstream_remote_disconnect");
    },
    onWritable: () => this.#up?.resume(),
    onClosed: (cause) => this.#closed(cause, ResponseFlag.DownstreamConnectionTermination),
  };

  readonly #fromUpstream: ConnectionHandler = {
    onRead: (bytes, start, end) => {
      this.#exchange.bytesSent += end - start;
      this.#relay(bytes, start, end, this.#up!, this.#down);
    },
    onEnd: () => {
      this.#upEnded = true;
      this.#halfClosed(this.#down);
    },
    onWritable: () => this.#down.resume(),
    onClosed: (cause) => this.#closed(cause, ResponseFlag.UpstreamConnectionTermination),
  };

  #relay(bytes: Buffer, start: number, end: number, from: Connection, to: Connection): void {
    const { timers, clock } = this.#service.context;
    to.write(bytes.subarray(start, end));
    if (!to.isWritable) from.pause();
    timers.start(this.#idleTimer, this.#service.plan.idleTimeoutMs, clock.monotonicMs());
  }

  /** One side has said all it will; the other hears so, and may go on. */
  #halfClosed(other: Connection): void {
    if (this.#downEnded && this.#upEnded) {
      this.#finish();
      this.#down.closeGracefully();
      this.#up?.closeGracefully();
    } else other.end();
  }

  #closed(cause: CloseCause, flag: number): void {
    if (this.#isOver) return;
    // An orderly end was seen as `onEnd`; what remains is a reset or an error.
    this.#end(cause.kind === "local" ? 0 : flag, cause.kind === "error" ? cause.message : "");
  }

  #end(flag: number, details: string): void {
    if (this.#isOver) return;
    this.#exchange.flags |= flag;
    if (details !== "") this.#exchange.details = details;
    this.#connecting?.cancel();
    this.#finish();
    this.#up?.destroy();
    this.#down.destroy();
  }

  #finish(): void {
    this.#isOver = true;
    const { context, stats, plan, networkFilters } = this.#service;
    const exchange = this.#exchange;
    this.#connectTimer.stop();
    this.#idleTimer.stop();
    this.#breakers?.connections.release();
    exchange.endMs = context.clock.monotonicMs();
    stats.cxRxBytes.value += exchange.bytesReceived;
    stats.cxTxBytes.value += exchange.bytesSent;
    if (this.#isActive) {
      const { stats: clusterStats } = this.#cluster!;
      this.#endpoint!.activeRequests -= 1;
      clusterStats.cxActive.value -= 1;
      clusterStats.cxRxBytes.value += exchange.bytesSent;
      clusterStats.cxTxBytes.value += exchange.bytesReceived;
    }
    try {
      for (const filter of networkFilters) filter.onClose?.(exchange);
      for (const log of plan.accessLogs) log.log(exchange);
    } catch (error) {
      context.onFault(error);
    }
    this.#onOver();
  }
}
