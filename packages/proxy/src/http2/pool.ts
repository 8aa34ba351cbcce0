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
import { Http2ClientCodec, type Http2ClientCodecEvents } from "./client-codec.ts";
import type { FieldLimits } from "./hpack-decoder.ts";
import { defaultHttp2Plan } from "./http2-plan.ts";

/** Envoy's limits on upstream response heads. */
const responseLimits: FieldLimits = { maxBytes: 60 * 1024, maxCount: 100 };
/** By its name in ALPN (RFC 9113 §3.3). */
const own = ["h2"];

const flushTimeoutMs = 300_000;
const idleTimer = 0;
const ageTimer = 1;

/**
 * HTTP/2 connections to one endpoint. All requests share the first connection
 * that has room; another is made only when none has.
 */
export class Http2Pool implements UpstreamPool, ConnectionOwner {
  readonly endpoint: Endpoint;
  readonly cluster: Cluster;
  readonly context: PoolContext;
  readonly spoken: readonly string[];
  readonly #all = new Set<PooledConnection>();
  readonly #connecting = new Set<PendingConnection>();
  /** What the endpoint last said it allows on a connection; modest until it has. */
  maxStreams = 100;
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
    const connection = isFresh ? undefined : this.#withRoom();
    if (connection) {
      connection.begin(requester);
      return;
    }
    if (!this.#waiting.add(requester, breakers)) return;
    if (isFresh || this.#connecting.size === 0) this.#connectFor(breakers);
  }

  cancel(requester: PoolRequester): void {
    this.#waiting.cancel(requester);
  }

  drain(): void {
    this.#isDraining = true;
    for (const connection of [...this.#all]) if (connection.codec.isIdle) connection.codec.close();
  }

  onConnected(pending: PendingConnection, made: MadeConnection): void {
    this.#connecting.delete(pending);
    const taker = this.#negotiation?.decide(made);
    if (taker) this.#waiting.moveTo(taker);
    else this.adopt(made);
  }

  /** Takes a connection that was made elsewhere. */
  adopt(made: MadeConnection): void {
    if (this.#negotiation) this.cluster.stats.cxHttp2Total.value += 1;
    const connection = new PooledConnection(this, made);
    this.#all.add(connection);
    this.#serve();
    connection.settle();
  }

  onConnectFailed(pending: PendingConnection, isTimeout: boolean, transport: string, isTls: boolean): void {
    this.#connecting.delete(pending);
    const { stats } = this.cluster;
    stats.cxConnectFail.value += 1;
    if (isTimeout) stats.cxConnectTimeout.value += 1;
    if (this.#connecting.size > 0) return;
    this.#waiting.failAll(isTimeout, transport, isTls);
  }

  /** Called by a connection that may have room again. */
  onCapacity(): void {
    if (this.#waiting.length > 0) this.#serve();
  }

  onGone(connection: PooledConnection): void {
    this.#all.delete(connection);
    const breakers = this.#waiting.nextBreakers;
    if (breakers && this.#connecting.size === 0) this.#connectFor(breakers);
  }

  /** Whether new requests may use it: not worn, and made under the certificate in force. */
  isUsable(connection: PooledConnection): boolean {
    const max = this.context.preface ? 1 : this.cluster.plan.maxRequestsPerConnection;
    if (this.#isDraining || (max > 0 && connection.codec.requestCount >= max)) return false;
    return connection.account.isCurrent(this.endpoint);
  }

  #serve(): void {
    while (this.#waiting.length > 0) {
      const connection = this.#withRoom();
      if (!connection) {
        if (this.#connecting.size === 0) this.#connectFor(this.#waiting.nextBreakers!);
        return;
      }
      connection.begin(this.#waiting.take()!);
    }
  }

  #withRoom(): PooledConnection | undefined {
    for (const connection of this.#all) {
      if (connection.codec.capacity > 0 && this.isUsable(connection)) return connection;
    }
    return undefined;
  }

  #connectFor(breakers: Breakers): void {
    const isCounted = breakers.connections.tryAcquire();
    // At the limit the request waits for room; without any connection there would be none to wait for.
    if (!isCounted && this.#all.size + this.#connecting.size > 0) return;
    const pending = new PendingConnection(this, isCounted ? breakers : undefined);
    this.#connecting.add(pending);
    if (!this.#negotiation) this.cluster.stats.cxHttp2Total.value += 1;
    pending.start();
  }
}

/** An established connection and its place in the pool. */
class PooledConnection implements Http2ClientCodecEvents, TimerOwner {
  readonly codec: Http2ClientCodec;
  readonly info: UpstreamConnectionInfo;
  readonly account: ConnectionAccount;
  readonly #pool: Http2Pool;
  readonly #timer = new TimerEntry(this, idleTimer);
  readonly #age: TimerEntry | undefined;

  constructor(pool: Http2Pool, made: MadeConnection) {
    const { connection } = made;
    this.#pool = pool;
    this.account = new ConnectionAccount(made, pool.cluster.stats);
    this.info = made.info;
    const { timers } = pool.context;
    const {
      http2: plan = defaultHttp2Plan,
      maxResponseHeaders,
      maxConnectionDurationMs = 0,
    } = pool.cluster.plan;
    const limits =
      maxResponseHeaders === undefined ? responseLimits : { ...responseLimits, maxCount: maxResponseHeaders };
    this.codec = new Http2ClientCodec(connection, { plan, limits, timers, flushTimeoutMs }, this);
    connection.start(this.codec);
    this.codec.greet(pool.maxStreams);
    if (maxConnectionDurationMs === 0) return;
    this.#age = new TimerEntry(this, ageTimer);
    timers.start(this.#age, maxConnectionDurationMs, timers.clock.monotonicMs());
  }

  begin(requester: PoolRequester): void {
    this.#timer.stop();
    const stream = this.codec.newStream(requester);
    const { plan, stats } = this.#pool.cluster;
    if (this.codec.requestCount === plan.maxRequestsPerConnection) stats.cxMaxRequests.value += 1;
    requester.onStreamReady(stream, this.info);
  }

  /** Idle, it waits for its timeout, or closes when nothing may begin on it any more. */
  settle(): void {
    if (!this.codec.isIdle) return;
    if (this.codec.isDraining || !this.#pool.isUsable(this)) {
      this.codec.close();
      return;
    }
    const { timers } = this.#pool.context;
    timers.start(this.#timer, this.#pool.cluster.plan.idleTimeoutMs, timers.clock.monotonicMs());
  }

  /** Idle for too long it closes; too old it closes once it is idle. */
  onTimer(kind: number): void {
    if (kind === ageTimer) {
      this.account.expire();
      this.settle();
      return;
    }
    this.#pool.cluster.stats.cxIdleTimeout.value += 1;
    this.codec.close();
  }

  onSettled(maxStreams: number): void {
    this.#pool.maxStreams = maxStreams;
  }

  onCapacity(): void {
    this.account.countBytes();
    this.#pool.onCapacity();
    this.settle();
  }

  onProtocolError(): void {
    this.#pool.cluster.stats.connections().onProtocolError();
  }

  onGone(cause: CloseCause, isActive: boolean): void {
    this.#timer.stop();
    this.#age?.stop();
    this.account.close(cause.kind === "local", this.codec.requestCount, isActive);
    this.#pool.onGone(this);
  }
}
