import type { Timer } from "@weft/base/clock";
import type { AttemptOutcome, Breakers, Cluster, Endpoint, PickContext } from "../cluster/cluster.ts";
import { poolOf } from "../cluster/endpoint-pools.ts";
import { requestHash } from "../cluster/request-hash.ts";
import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { ClientStream, ResetReason } from "../layer/stream.ts";
import type { UpstreamConnectionInfo } from "../layer/upstream-connection-info.ts";
import type { PoolRequester, UpstreamPool } from "../layer/upstream-pool.ts";
import type { TunnelPlan } from "../listener/listener-plan.ts";
import { closedHere } from "../net/connection.ts";
import type { CloseCause, ConnectionHandler } from "../net/connection-handler.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";
import { applyHeaderEdits } from "../route/header-edits.ts";
import type { TcpExchange } from "./tcp-exchange.ts";
import type { TcpService } from "./tcp-service.ts";
import {
  backoffMs,
  type TcpConnectorEvents,
  type TcpUpstream,
  type TcpUpstreamSource,
} from "./tcp-upstream.ts";

const localFailure: AttemptOutcome = { kind: "local-origin-failure" };
const nothing = Buffer.alloc(0);
const answerTimer = 0;
/** The upstream ended the stream without its last byte. */
const brokenOff: CloseCause = { kind: "error", code: "", message: "the tunnel was broken off" };

/**
 * Carries a TCP connection in an HTTP request: CONNECT, or a POST whose body
 * and answer are the bytes each way. The protocol is the cluster's. The tunnel
 * stands once the upstream has answered with a 2xx.
 *
 * @see envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig
 */
export class TcpTunnel implements TcpUpstreamSource, PoolRequester, TimerOwner {
  readonly #service: TcpService;
  readonly #tunnel: TunnelPlan;
  readonly #exchange: TcpExchange;
  readonly #cluster: Cluster;
  readonly #subset: PickContext["subset"];
  readonly #events: TcpConnectorEvents;
  readonly #timer = new TimerEntry(this, answerTimer);
  #breakers: Breakers | undefined;
  #endpoint: Endpoint | undefined;
  #pool: UpstreamPool | undefined;
  #backoff: Timer | undefined;
  #stream: ClientStream | undefined;
  #up: TunnelUpstream | undefined;

  constructor(
    service: TcpService,
    tunnel: TunnelPlan,
    exchange: TcpExchange,
    cluster: Cluster,
    subset: PickContext["subset"],
    events: TcpConnectorEvents,
  ) {
    this.#service = service;
    this.#tunnel = tunnel;
    this.#exchange = exchange;
    this.#cluster = cluster;
    this.#subset = subset;
    this.#events = events;
  }

  start(): void {
    const breakers = this.#cluster.breakers("default");
    if (!breakers.requests.tryAcquire()) {
      this.#events.onFailed("resource_limit_exceeded");
      return;
    }
    this.#breakers = breakers;
    this.#attempt();
  }

  cancel(): void {
    this.#timer.stop();
    this.#backoff?.cancel();
    this.#pool?.cancel(this);
    this.#pool = undefined;
    this.#reset();
  }

  release(): void {
    this.#breakers?.requests.release();
    this.#breakers = undefined;
    this.#endAttempt();
  }

  onTimer(): void {
    this.#cluster.stats.rqTimeout.value += 1;
    this.#pool?.cancel(this);
    this.#failed("the tunnel was not answered in time");
  }

  onStreamReady(stream: ClientStream, connection: UpstreamConnectionInfo): void {
    const exchange = this.#exchange;
    this.#pool = undefined;
    this.#stream = stream;
    exchange.upstreamPeer = connection.peer;
    exchange.upstreamLocal = connection.local;
    exchange.upstreamRemote = connection.remote;
    stream.sendHead(this.#requestHead(), false);
  }

  onStreamFailed(_reason: ResetReason, transport: string): void {
    this.#pool = undefined;
    this.#failed(transport);
  }

  /** Nothing to pass on: a tunnel has one answer. */
  onInformational(): void {}

  onResponseHead({ status }: ResponseHead, end: boolean): void {
    if (status < 200 || status > 299 || end) {
      this.#failed(`tunnel_response:${status}`);
      return;
    }
    this.#timer.stop();
    this.#cluster.report(this.#endpoint!, { kind: "connected" });
    this.#up = new TunnelUpstream(this.#stream!);
    this.#events.onConnected(this.#up);
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    if (chunk.length > 0) this.#up?.handler?.onRead(chunk, 0, chunk.length);
    if (end) this.#up?.handler?.onEnd();
  }

  onResponseTrailers(): void {
    this.#up?.handler?.onEnd();
  }

  onResponseReset(): void {
    this.#stream = undefined;
    if (this.#up) this.#up.broke();
    else this.#failed("the tunnel was broken off before it was answered");
  }

  onRequestWritable(): void {
    this.#up?.handler?.onWritable();
  }

  #attempt(): void {
    const cluster = this.#cluster;
    const exchange = this.#exchange;
    const { context, plan } = this.#service;
    const endpoint = cluster.pick({
      subset: this.#subset,
      hash: requestHash(cluster.plan.balancer, plan.hashPolicy, exchange),
      originalDestination: exchange.connection.local,
      avoid: undefined,
    });
    if (!endpoint) {
      cluster.stats.cxNoneHealthy.value += 1;
      this.#events.onFailed("no_healthy_upstream");
      return;
    }
    this.#endpoint = endpoint;
    exchange.endpoint = endpoint;
    exchange.attempts += 1;
    endpoint.activeRequests += 1;
    cluster.stats.rqTotal.value += 1;
    cluster.stats.rqActive.value += 1;
    context.timers.start(this.#timer, cluster.plan.connectTimeoutMs, context.clock.monotonicMs());
    const protocol = cluster.plan.tunnelsByHttp2 ? "HTTP/2" : "";
    this.#pool = poolOf(endpoint, cluster, protocol, context, exchange.connection);
    this.#pool.request(this, this.#breakers!, false);
  }

  #requestHead(): RequestHead {
    const { hostname, postPath, headers: edits } = this.#tunnel;
    const exchange = this.#exchange;
    const headers = new HeaderList();
    if (edits) applyHeaderEdits(edits, headers, exchange);
    const isConnect = postPath === undefined;
    return {
      method: isConnect ? "CONNECT" : "POST",
      path: postPath ?? "",
      authority: typeof hostname === "string" ? hostname : hostname(exchange),
      scheme: this.#endpoint!.tls ? "https" : "http",
      headers,
      upgrade: isConnect ? "connect" : "",
    };
  }

  #failed(message: string): void {
    const cluster = this.#cluster;
    this.#timer.stop();
    this.#reset();
    this.#endAttempt();
    cluster.report(this.#endpoint!, localFailure);
    this.#exchange.upstreamTransportFailure = message;
    const { plan, context } = this.#service;
    const { attempts } = this.#exchange;
    if (attempts < plan.maxConnectAttempts) {
      const delayMs = plan.backoff ? backoffMs(plan.backoff, attempts, context.random()) : 0;
      this.#backoff = context.clock.setTimer(() => this.#attempt(), delayMs);
    } else {
      cluster.stats.cxConnectAttemptsExceeded.value += 1;
      this.#events.onFailed("connect_failed");
    }
  }

  #endAttempt(): void {
    if (!this.#endpoint) return;
    this.#endpoint.activeRequests -= 1;
    this.#cluster.stats.rqActive.value -= 1;
    this.#endpoint = undefined;
  }

  #reset(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.reset("local-reset");
  }
}

/** The request's stream, used like a connection. */
class TunnelUpstream implements TcpUpstream {
  readonly hasOwnReadBuffer = false;
  handler: ConnectionHandler | undefined;
  readonly #stream: ClientStream;
  #hasEnded = false;
  #isOver = false;

  constructor(stream: ClientStream) {
    this.#stream = stream;
  }

  get isWritable(): boolean {
    return this.#isOver || this.#stream.isWritable;
  }

  start(handler: ConnectionHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): void {
    if (!this.#hasEnded && !this.#isOver) this.#stream.sendData(bytes as Buffer, false);
  }

  lend(bytes: Buffer): boolean {
    this.write(bytes);
    return true;
  }

  /** A tunnel's bytes come in the frames of its connection. */
  readInBulk(): void {}

  pause(): void {
    if (!this.#isOver) this.#stream.pauseResponse();
  }

  resume(): void {
    if (!this.#isOver) this.#stream.resumeResponse();
  }

  end(): void {
    if (this.#hasEnded || this.#isOver) return;
    this.#hasEnded = true;
    this.#stream.sendData(nothing, true);
  }

  closeGracefully(): void {
    this.end();
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#stream.reset("local-reset");
    this.#close(closedHere);
  }

  /** The stream is gone without its end. */
  broke(): void {
    this.#close(brokenOff);
  }

  #close(cause: CloseCause): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.handler?.onClosed(cause);
  }
}
