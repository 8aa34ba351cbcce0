import type { Breakers, Cluster, Endpoint } from "../cluster/cluster.ts";
import { ConnectionAccount } from "../layer/connection-account.ts";
import {
  type ConnectionOwner,
  type MadeConnection,
  PendingConnection,
  type PoolContext,
} from "../layer/pending-connection.ts";
import type { UpstreamConnectionInfo } from "../layer/upstream-connection-info.ts";
import type { Negotiation, PoolRequester, UpstreamPool } from "../layer/upstream-pool.ts";
import { WaitingRequests } from "../layer/waiting-requests.ts";
import type { CloseCause } from "../net/connection-handler.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";
import { type ClientCodecEvents, Http1ClientCodec } from "./client-codec.ts";
import type { HeadLimits } from "./head.ts";

/** Envoy's limits on upstream response heads. */
const responseLimits: HeadLimits = { maxBytes: 60 * 1024, maxCount: 100 };

/** @see RFC 9112; by its name in ALPN (RFC 7301 §6) */
const own = ["http/1.1"];

const idleTimer = 1;
const ageTimer = 2;

/**
 * HTTP/1.1 connections to one endpoint: one request each at a time, the most
 * recently used first so that surplus ones grow old and close.
 *
 * A request that finds none idle waits for whichever is first, a new connection
 * or one that becomes free. Connections made under a replaced certificate are
 * not used again.
 */
export class Http1Pool implements UpstreamPool, ConnectionOwner {
  readonly endpoint: Endpoint;
  readonly cluster: Cluster;
  readonly context: PoolContext;
  readonly spoken: readonly string[];
  readonly #idle: PooledConnection[] = [];
  readonly #all = new Set<PooledConnection>();
  readonly #connecting = new Set<PendingConnection>();
  readonly #waiting: WaitingRequests;
  readonly #negotiation: Negotiation | undefined;
  #isDraining = false;

  constructor(endpoint: Endpoint, cluster: Cluster, context: PoolContext, negotiation?: Negotiation) {
    this.endpoint = endpoint;
    this.cluster = cluster;
    this.context = context;
    this.spoken = negotiation?.spoken ?? own;
    this.#negotiation = negotiation;
    this.#waiting = new WaitingRequests(cluster.stats);
  }

  request(requester: PoolRequester, breakers: Breakers, isFresh: boolean): void {
    if (!isFresh) {
      const idle = this.#takeIdle();
      if (idle) {
        requester.onStreamReady(idle.codec.newStream(requester), idle.info);
        return;
      }
    }
    if (!this.#waiting.add(requester, breakers)) return;
    this.#connectFor(breakers);
  }

  cancel(requester: PoolRequester): void {
    this.#waiting.cancel(requester);
  }

  drain(): void {
    this.#isDraining = true;
    for (const idle of this.#idle.splice(0)) idle.close();
  }

  onConnected(pending: PendingConnection, made: MadeConnection): void {
    this.#connecting.delete(pending);
    const taker = this.#negotiation?.decide(made);
    if (taker) this.#waiting.moveTo(taker);
    else this.adopt(made);
  }

  /** Takes a connection that was made elsewhere. */
  adopt(made: MadeConnection): void {
    if (this.#negotiation) this.cluster.stats.cxHttp1Total.value += 1;
    const connection = new PooledConnection(this, made);
    this.#all.add(connection);
    this.#offer(connection);
  }

  onConnectFailed(pending: PendingConnection, isTimeout: boolean, transport: string, isTls: boolean): void {
    this.#connecting.delete(pending);
    const { stats } = this.cluster;
    stats.cxConnectFail.value += 1;
    if (isTimeout) stats.cxConnectTimeout.value += 1;
    // Those for whom another connection is on its way keep waiting.
    while (this.#waiting.length > this.#connecting.size) this.#waiting.failNext(isTimeout, transport, isTls);
  }

  onReusable(connection: PooledConnection): void {
    const max = this.context.preface ? 1 : this.cluster.plan.maxRequestsPerConnection;
    const isWorn = max > 0 && connection.codec.requestCount >= max;
    if (isWorn) this.cluster.stats.cxMaxRequests.value += 1;
    if (isWorn || this.#isDraining || !connection.account.isCurrent(this.endpoint)) connection.close();
    else this.#offer(connection);
  }

  onGone(connection: PooledConnection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const breakers = this.#waiting.nextBreakers;
    if (breakers && this.#connecting.size < this.#waiting.length) this.#connectFor(breakers);
  }

  #offer(connection: PooledConnection): void {
    const next = this.#waiting.take();
    if (next) {
      next.onStreamReady(connection.codec.newStream(next), connection.info);
      return;
    }
    this.#idle.push(connection);
    connection.becomeIdle();
  }

  #takeIdle(): PooledConnection | undefined {
    for (;;) {
      const idle = this.#idle.pop();
      if (!idle) return undefined;
      if (idle.codec.isIdle && idle.account.isCurrent(this.endpoint)) {
        idle.becomeBusy();
        return idle;
      }
      idle.close();
    }
  }

  #connectFor(breakers: Breakers): void {
    if (this.#connecting.size >= this.#waiting.length) return;
    const isCounted = breakers.connections.tryAcquire();
    // At the limit the request waits for a connection to become free; without any there would be none to wait for.
    if (!isCounted && this.#all.size + this.#connecting.size > 0) return;
    const pending = new PendingConnection(this, isCounted ? breakers : undefined);
    this.#connecting.add(pending);
    if (!this.#negotiation) this.cluster.stats.cxHttp1Total.value += 1;
    pending.start();
  }
}

/** An established connection and its place in the pool. */
class PooledConnection implements ClientCodecEvents, TimerOwner {
  readonly codec: Http1ClientCodec;
  readonly info: UpstreamConnectionInfo;
  readonly account: ConnectionAccount;
  readonly #pool: Http1Pool;
  readonly #timer = new TimerEntry(this, idleTimer);
  readonly #age: TimerEntry | undefined;

  constructor(pool: Http1Pool, made: MadeConnection) {
    const { connection } = made;
    this.#pool = pool;
    this.account = new ConnectionAccount(made, pool.cluster.stats);
    this.info = made.info;
    const { plan } = pool.cluster;
    const { keepsTrailers = false, properCaseHeaders = false, maxConnectionDurationMs = 0 } = plan;
    const limits =
      plan.maxResponseHeaders === undefined
        ? responseLimits
        : { ...responseLimits, maxCount: plan.maxResponseHeaders };
    this.codec = new Http1ClientCodec(connection, { limits, keepsTrailers, properCaseHeaders }, this);
    connection.start(this.codec);
    if (maxConnectionDurationMs === 0) return;
    const { timers } = pool.context;
    this.#age = new TimerEntry(this, ageTimer);
    timers.start(this.#age, maxConnectionDurationMs, timers.clock.monotonicMs());
  }

  becomeIdle(): void {
    const { timers } = this.#pool.context;
    timers.start(this.#timer, this.#pool.cluster.plan.idleTimeoutMs, timers.clock.monotonicMs());
  }

  becomeBusy(): void {
    this.#timer.stop();
  }

  close(): void {
    this.codec.connection.destroy();
  }

  /** Idle for too long it closes; too old it closes once it is idle. */
  onTimer(kind: number): void {
    if (kind === ageTimer) {
      this.account.expire();
      if (!this.codec.isIdle) return;
    } else this.#pool.cluster.stats.cxIdleTimeout.value += 1;
    this.close();
  }

  onReusable(): void {
    this.account.countBytes();
    this.#pool.onReusable(this);
  }

  onProtocolError(): void {
    this.#pool.cluster.stats.connections().onProtocolError();
  }

  onGone(codec: Http1ClientCodec, cause: CloseCause | undefined, isActive: boolean): void {
    this.#timer.stop();
    this.#age?.stop();
    this.account.close(cause === undefined || cause.kind === "local", codec.requestCount, isActive);
    this.#pool.onGone(this);
  }
}
