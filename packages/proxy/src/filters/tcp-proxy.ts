import type { Timer } from "@weft/base/clock";
import type { Cluster } from "../cluster/cluster.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { RawSession } from "../layer/raw-session.ts";
import type { Discovery, DiscoveryOutcome } from "../layer/resource-discovery.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { TcpStats } from "../listener/downstream-stats.ts";
import type { TcpProxyPlan } from "../listener/listener-plan.ts";
import type { Connection } from "../net/connection.ts";
import type { CloseCause, ConnectionHandler } from "../net/connection-handler.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";
import { tellOver } from "../observe/observation.ts";
import { TcpConnector } from "./tcp-connector.ts";
import type { TcpExchange } from "./tcp-exchange.ts";
import type { TcpService } from "./tcp-service.ts";
import { TcpTunnel } from "./tcp-tunnel.ts";
import type {
  TcpConnectFailure,
  TcpConnectorEvents,
  TcpUpstream,
  TcpUpstreamSource,
} from "./tcp-upstream.ts";

type Choice = ReturnType<TcpProxyPlan["selectCluster"]>;

const outcomes = {
  found: "onDemandFound",
  missing: "onDemandMissing",
  timeout: "onDemandTimeout",
} as const satisfies Record<DiscoveryOutcome, keyof TcpStats>;

const idleTimer = 0;
const logTimer = 1;

/**
 * One proxied TCP connection: bytes both ways, each side read only as fast as
 * the other takes it, each half closed on its own. Before the upstream is
 * connected nothing is read from the client but what the plan allows as early
 * data.
 *
 * @see envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
 */
export class TcpSession implements TimerOwner, RawSession {
  readonly #service: TcpService;
  readonly #exchange: TcpExchange;
  readonly #down: Connection;
  readonly #onOver: () => void;
  readonly #onFirstRead: ((bytes: Buffer) => void) | undefined;
  readonly #idleTimer = new TimerEntry(this, idleTimer);
  #logTimer: TimerEntry | undefined;
  #lifetime: Timer | undefined;
  #up: TcpUpstream | undefined;
  #connector: TcpUpstreamSource | undefined;
  #discovery: Discovery | undefined;
  #early: Buffer[] | undefined;
  #earlyBytes = 0;
  #isOver = false;
  #downEnded = false;
  #upEnded = false;

  /** `onFirstRead` is shown what the client says first. */
  constructor(
    service: TcpService,
    down: Connection,
    exchange: TcpExchange,
    onOver: () => void,
    onFirstRead?: (bytes: Buffer) => void,
  ) {
    this.#service = service;
    this.#down = down;
    this.#exchange = exchange;
    this.#onOver = onOver;
    this.#onFirstRead = onFirstRead;
  }

  get exchange(): Exchange {
    return this.#exchange;
  }

  start(initial: Buffer | undefined): void {
    const { stats, plan, context } = this.#service;
    stats.cxTotal.value += 1;
    stats.cxActive.value += 1;
    if (plan.maxDurationMs > 0) this.#limitDuration();
    this.#down.readInBulk();
    if (plan.maxEarlyBytes === 0) this.#down.pause();
    this.#down.start(this.#fromDownstream, initial);
    if (this.#isOver || (plan.connectsOnData && this.#earlyBytes === 0)) return;
    this.#connect();
    if (this.#logTimer === undefined && plan.accessLogIntervalMs > 0 && !this.#isOver) {
      this.#logTimer = new TimerEntry(this, logTimer);
      context.timers.start(this.#logTimer, plan.accessLogIntervalMs, context.clock.monotonicMs());
    }
  }

  /** Ends both sides now. */
  destroy(): void {
    this.#end(0, "drained");
  }

  onTimer(kind: number): void {
    const { timers, clock } = this.#service.context;
    if (kind === logTimer) {
      this.#log("TcpPeriodic");
      timers.start(this.#logTimer!, this.#service.plan.accessLogIntervalMs, clock.monotonicMs());
      return;
    }
    this.#service.stats.idleTimeout.value += 1;
    this.#end(0, "tcp_session_idle_timeout");
  }

  #limitDuration(): void {
    const { plan, stats, context } = this.#service;
    const limitMs = plan.maxDurationMs * (1 + context.random() * plan.maxDurationJitter);
    this.#lifetime = context.clock.setTimer(() => {
      stats.maxDurationReached.value += 1;
      this.#end(ResponseFlag.DurationTimeout, "max_connection_duration_reached");
    }, limitMs);
  }

  #connect(): void {
    const { plan, context } = this.#service;
    const choice = plan.selectCluster(context.random(), this.#exchange.connection.clusterName);
    const cluster = context.clusters.get(choice.cluster);
    if (cluster || !plan.discover) this.#connectTo(choice);
    else this.#discover(choice, plan.discover);
  }

  /** Nothing is read from the client meanwhile but early data. */
  #discover(choice: Choice, discover: NonNullable<TcpProxyPlan["discover"]>): void {
    const { stats } = this.#service;
    stats.onDemandAttempt.value += 1;
    this.#discovery = discover(choice.cluster, (outcome) => {
      this.#discovery = undefined;
      stats[outcomes[outcome]].value += 1;
      this.#connectTo(choice);
    });
  }

  #connectTo(choice: Choice): void {
    const { stats, plan, context } = this.#service;
    const cluster = context.clusters.get(choice.cluster);
    if (!cluster) {
      stats.cxNoRoute.value += 1;
      this.#end(ResponseFlag.NoClusterFound, "tcp_initialization_failure:no_route");
      return;
    }
    this.#exchange.cluster = cluster;
    const events: TcpConnectorEvents = {
      onConnected: (up) => this.#established(cluster, up),
      onFailed: (failure) => this.#end(failureFlags[failure], `tcp_initialization_failure:${failure}`),
    };
    this.#connector = plan.tunnel
      ? new TcpTunnel(this.#service, plan.tunnel, this.#exchange, cluster, choice.subset, events)
      : new TcpConnector(this.#service, this.#exchange, cluster, choice.subset, events);
    this.#connector.start();
  }

  #established(cluster: Cluster, up: TcpUpstream): void {
    const { context, plan, networkFilters } = this.#service;
    const { timers, clock, onFault } = context;
    this.#up = up;
    const endpoint = this.#exchange.endpoint!;
    if (cluster.plan.closesConnectionsOnFailure) {
      endpoint.sessions ??= new Set();
      endpoint.sessions.add(this);
    }
    this.#exchange.upstreamFirstByteMs = clock.monotonicMs();
    try {
      for (const filter of networkFilters) filter.onEstablished?.(this.#exchange);
    } catch (error) {
      onFault(error);
    }
    if (plan.logsOnConnected) this.#log("TcpUpstreamConnected");
    timers.start(this.#idleTimer, plan.idleTimeoutMs, clock.monotonicMs());
    up.readInBulk();
    up.start(this.#fromUpstream);
    const early = this.#early;
    this.#early = undefined;
    for (const bytes of early ?? []) up.write(bytes);
    if (this.#downEnded) this.#halfClosed(up);
    else if (up.isWritable) this.#down.resume();
    else this.#down.pause();
  }

  readonly #fromDownstream: ConnectionHandler = {
    onRead: (bytes, start, end) => {
      if (this.#onFirstRead && this.#exchange.bytesReceived === 0) {
        this.#onFirstRead(bytes.subarray(start, end));
      }
      this.#exchange.bytesReceived += end - start;
      if (this.#up) this.#relay(bytes, start, end, this.#down, this.#up);
      else this.#keepEarly(bytes, start, end);
    },
    onEnd: () => {
      this.#downEnded = true;
      if (this.#up) this.#halfClosed(this.#up);
      // The client may have said all it wants to: what it said still goes out once there is an upstream.
      else if (!this.#early) this.#end(ResponseFlag.DownstreamConnectionTermination, "");
    },
    onWritable: () => this.#up?.resume(),
    onClosed: (cause) => this.#closed(cause, this.#up ? 0 : ResponseFlag.DownstreamConnectionTermination),
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

  #keepEarly(bytes: Buffer, start: number, end: number): void {
    const { plan } = this.#service;
    const isFirst = this.#early === undefined;
    this.#early ??= [];
    this.#early.push(Buffer.from(bytes.subarray(start, end)));
    this.#earlyBytes += end - start;
    if (this.#earlyBytes >= plan.maxEarlyBytes) this.#down.pause();
    if (isFirst && plan.connectsOnData && !this.#connector) this.#connect();
  }

  #relay(bytes: Buffer, start: number, end: number, from: TcpUpstream, to: TcpUpstream): void {
    const { timers, clock } = this.#service.context;
    if (from.hasOwnReadBuffer) to.lend(bytes.subarray(start, end));
    else to.write(bytes.subarray(start, end));
    if (!to.isWritable) from.pause();
    timers.start(this.#idleTimer, this.#service.plan.idleTimeoutMs, clock.monotonicMs());
  }

  /** One side has said all it will; the other hears so, and may go on. */
  #halfClosed(other: TcpUpstream): void {
    if (this.#downEnded && this.#upEnded) {
      this.#finish();
      this.#down.closeGracefully();
      this.#up?.closeGracefully();
    } else other.end();
  }

  #closed(cause: CloseCause, flag: number): void {
    if (this.#isOver) return;
    // An orderly end was seen as `onEnd`; what remains is a reset or an error.
    this.#end(cause.kind === "local" ? 0 : flag, "");
  }

  /** `reason` says why the connection was closed from here. */
  #end(flag: number, reason: string): void {
    if (this.#isOver) return;
    this.#exchange.flags |= flag;
    if (reason !== "") this.#exchange.connection.localCloseReason = reason;
    this.#connector?.cancel();
    this.#finish();
    this.#up?.destroy();
    this.#down.destroy();
  }

  #finish(): void {
    this.#isOver = true;
    const { context, stats, networkFilters } = this.#service;
    const exchange = this.#exchange;
    this.#discovery?.cancel();
    this.#lifetime?.cancel();
    this.#logTimer?.stop();
    this.#idleTimer.stop();
    this.#early = undefined;
    exchange.endMs = context.clock.monotonicMs();
    stats.cxActive.value -= 1;
    stats.cxRxBytes.value += exchange.bytesReceived;
    stats.cxTxBytes.value += exchange.bytesSent;
    if (this.#up) exchange.endpoint!.sessions?.delete(this);
    this.#connector?.release();
    try {
      for (const filter of networkFilters) filter.onClose?.(exchange);
    } catch (error) {
      context.onFault(error);
    }
    this.#log("TcpConnectionEnd");
    this.#onOver();
  }

  #log(type: TcpExchange["logType"]): void {
    const { plan, context } = this.#service;
    const exchange = this.#exchange;
    exchange.logType = type;
    if (!this.#isOver) exchange.endMs = context.clock.monotonicMs();
    try {
      for (const log of plan.accessLogs) log.log(exchange);
      if (type === "TcpConnectionEnd") tellOver(context.observation, exchange);
    } catch (error) {
      context.onFault(error);
    }
  }
}

/** Envoy's flags: a connection that failed is also one whose attempts are used up. */
const failureFlags: Readonly<Record<TcpConnectFailure, number>> = {
  resource_limit_exceeded: ResponseFlag.UpstreamOverflow,
  no_healthy_upstream: ResponseFlag.NoHealthyUpstream,
  connect_failed: ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded,
};
