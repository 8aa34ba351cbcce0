import type { Timer } from "@weft/base/clock";
import type { Breakers, Cluster, Endpoint, PickContext } from "../cluster/cluster.ts";
import { poolOf } from "../cluster/endpoint-pools.ts";
import { requestHash } from "../cluster/request-hash.ts";
import type { UpstreamCall } from "../layer/forwarder.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { HttpExchange } from "../layer/http-exchange.ts";
import type { LayerContext } from "../layer/http-service.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { ResetReason } from "../layer/stream.ts";
import type { UpstreamConnectionInfo } from "../layer/upstream-pool.ts";
import { parseHostPort } from "../net/socket-address.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";
import type { ClusterChoice, ForwardAction } from "../route/route-plan.ts";
import {
  prepareRequestHead,
  prepareResponseHead,
  replyInstead,
  rewriteAuthority,
} from "./forwarded-heads.ts";
import { RequestBody } from "./request-body.ts";
import { RetryState, type RetryVerdict } from "./retry-state.ts";
import type { RouterPlan } from "./router-plan.ts";
import { type AttemptFailure, type AttemptOwner, UpstreamAttempt } from "./upstream-attempt.ts";
import { failureReply, interruption } from "./upstream-failure.ts";

/** Methods a client may repeat without asking (RFC 9110 §9.2.2). */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/**
 * One request on its way to a cluster: picks endpoints, and makes attempts at
 * them as far as the retry policy and safety allow.
 *
 * A request is sent twice only when the policy asks for it, or when it provably
 * was not acted upon: never sent, or sent on a reused connection the upstream
 * was just closing and harmless to repeat.
 */
export class RouterCall implements UpstreamCall, AttemptOwner, TimerOwner {
  readonly context: LayerContext;
  readonly cluster: Cluster;
  readonly breakers: Breakers;
  readonly head: RequestHead;
  readonly body: RequestBody;
  readonly perTryTimeoutMs: number;
  readonly #exchange: HttpExchange;
  readonly #action: ForwardAction;
  readonly #choice: ClusterChoice;
  readonly #plan: RouterPlan;
  readonly #pools: PoolContext;
  readonly #retry: RetryState | undefined;
  #attempt: UpstreamAttempt | undefined = undefined;
  #tried: Endpoint[] | undefined = undefined;
  #isOver = false;
  #hasRacedOnce = false;
  #isPausedByUs = false;
  #routeTimer: TimerEntry | undefined = undefined;
  #backoff: Timer | undefined = undefined;

  constructor(
    exchange: HttpExchange,
    action: ForwardAction,
    choice: ClusterChoice,
    cluster: Cluster,
    plan: RouterPlan,
    pools: PoolContext,
  ) {
    const { context, bufferLimitBytes } = exchange.service;
    const request = exchange.request!;
    const policy = request.upgrade === "" ? action.retry : undefined;
    this.context = context;
    this.cluster = cluster;
    this.breakers = cluster.breakers(action.priority);
    this.head = request;
    this.perTryTimeoutMs = policy?.perTryTimeoutMs ?? 0;
    this.#exchange = exchange;
    this.#action = action;
    this.#choice = choice;
    this.#plan = plan;
    this.#pools = pools;
    this.#retry = policy && new RetryState(policy, this.breakers.retries, cluster.stats, context.random);
    this.body = new RequestBody(bufferLimitBytes, policy !== undefined);
  }

  get connectionHeaders(): readonly string[] | undefined {
    return this.#exchange.upstreamConnectionHeaders;
  }

  /** Makes the head what the upstream shall see, and starts the first attempt. */
  start(): void {
    const exchange = this.#exchange;
    const isUpgrade = this.head.upgrade !== "";
    prepareRequestHead(exchange, this.#action, this.#choice, this.#plan);
    if (isUpgrade) {
      exchange.isUpgrade = true;
      exchange.service.stats.cxUpgradesTotal.value += 1;
      exchange.service.stats.cxUpgradesActive.value += 1;
    } else if (exchange.isRequestDone && !exchange.holdsBody) this.body.end();
    this.#begin(false);
    if (exchange.isRequestDone && !isUpgrade) this.#startRouteTimer(exchange.startMs);
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    if (this.#isOver) return;
    const { body } = this;
    const attempt = this.#attempt;
    const isSent = attempt?.isConnected ?? false;
    body.add(chunk, end, isSent || this.#exchange.isUpgrade);
    if (isSent) {
      attempt!.sendData(chunk, end);
      if (!attempt!.isWritable) this.#exchange.pauseRequest();
    } else {
      if (this.#exchange.isUpgrade) body.keep(chunk);
      if (body.isFull) this.#exchange.pauseRequest();
    }
    if (end) this.#requestComplete();
  }

  onRequestTrailers(trailers: HeaderList): void {
    if (this.#isOver) return;
    this.body.endWith(trailers);
    this.#attempt?.sendTrailers(trailers);
    this.#requestComplete();
  }

  onResponseWritable(): void {
    if (!this.#isPausedByUs) return;
    this.#isPausedByUs = false;
    this.#attempt?.resumeResponse();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#conclude();
    if (!this.#attempt) return;
    this.cluster.stats.rqCancelled.value += 1;
    this.#attempt.abandon();
  }

  onAttemptSent(attempt: UpstreamAttempt, connection: UpstreamConnectionInfo): void {
    const exchange = this.#exchange;
    exchange.upstreamPeer = connection.peer;
    exchange.upstreamLocal = connection.local;
    if (attempt.isWritable) exchange.resumeRequest();
    else exchange.pauseRequest();
  }

  onAttemptWritable(): void {
    this.#exchange.resumeRequest();
  }

  onAttemptInformational(_attempt: UpstreamAttempt, head: ResponseHead): void {
    this.#exchange.sendInformational(head);
  }

  onAttemptHead(attempt: UpstreamAttempt, head: ResponseHead, end: boolean, nowMs: number): void {
    const exchange = this.#exchange;
    exchange.upstreamFirstByteMs = nowMs;
    this.#count(head.status);
    if (this.#retry) {
      const verdict = this.body.isReplayable ? this.#retry.onResponse(head.status, head.headers) : "no";
      if (verdict === "retry") {
        if (end) attempt.settle(nowMs);
        else attempt.abandon();
        this.#retryLater(attempt);
        return;
      }
      this.#flagRefusal(verdict);
    }
    const upstreamMs = nowMs - (exchange.requestCompleteMs || attempt.startMs);
    prepareResponseHead(exchange, this.#choice, this.#plan, head, upstreamMs);
    if (end) {
      attempt.settle(nowMs);
      this.#conclude();
    }
    exchange.sendResponse(head, end);
  }

  onAttemptData(attempt: UpstreamAttempt, chunk: Buffer, end: boolean): void {
    const exchange = this.#exchange;
    if (end) this.#conclude();
    exchange.sendData(chunk, end);
    if (!end && !exchange.isResponseWritable && !this.#isOver) {
      this.#isPausedByUs = true;
      attempt.pauseResponse();
    }
  }

  onAttemptTrailers(_attempt: UpstreamAttempt, trailers: HeaderList): void {
    this.#conclude();
    this.#exchange.sendTrailers(trailers);
  }

  onAttemptFailed(attempt: UpstreamAttempt, failure: AttemptFailure): void {
    const exchange = this.#exchange;
    const nowMs = this.context.clock.monotonicMs();
    if (exchange.hasResponded) {
      const { details, flag } = interruption(failure.reason);
      attempt.settle(nowMs);
      this.#conclude();
      exchange.breakOff(flag, details);
      return;
    }
    if (failure.isKeepAliveRace) {
      if (this.#mayRepeat(failure)) {
        this.#hasRacedOnce = true;
        attempt.settle(nowMs);
        this.#begin(true);
        return;
      }
      attempt.blame();
    }
    if (failure.transport !== "") exchange.upstreamTransportFailure = failure.transport;
    const { reason, isUnprocessed } = failure;
    const verdict =
      this.#retry && this.body.isReplayable ? this.#retry.onReset(reason, !isUnprocessed) : "no";
    attempt.settle(nowMs);
    if (verdict === "retry") {
      this.#retryLater(attempt);
      return;
    }
    this.#flagRefusal(verdict);
    this.#conclude();
    this.#replyFailure(reason, failure.transport, failure.isTls);
  }

  onAttemptTimeout(attempt: UpstreamAttempt): void {
    const verdict = this.#retry && this.body.isReplayable ? this.#retry.onPerTryTimeout() : "no";
    attempt.abandon();
    if (verdict === "retry") {
      this.#retryLater(attempt);
      return;
    }
    this.#flagRefusal(verdict);
    this.#conclude();
    this.#replyTimeout("upstream_per_try_timeout");
  }

  /** The whole request took too long. */
  onTimer(): void {
    this.cluster.stats.rqTimeout.value += 1;
    this.#attempt?.expire();
    this.#conclude();
    this.#replyTimeout("response_timeout");
  }

  /** Makes an attempt at an endpoint, over a connection nobody used before where `isFresh`. */
  #begin(isFresh: boolean): void {
    const exchange = this.#exchange;
    const { cluster, head } = this;
    exchange.attempts += 1;
    const endpoint = cluster.pick(this.#pickContext());
    if (!endpoint) {
      cluster.stats.cxNoneHealthy.value += 1;
      this.#conclude();
      const flag = ResponseFlag.NoHealthyUpstream;
      replyInstead(exchange, this.#choice, 503, "no healthy upstream", "no_healthy_upstream", flag);
      return;
    }
    exchange.endpoint = endpoint;
    if (!this.breakers.requests.tryAcquire()) {
      this.#conclude();
      this.#replyFailure("overflow", "", false);
      return;
    }
    const startMs = exchange.attempts === 1 ? exchange.startMs : this.context.clock.monotonicMs();
    if (this.#action.autoHostRewrite && endpoint.plan.hostname !== "") {
      rewriteAuthority(head, endpoint.plan.hostname, this.#plan);
    }
    if (exchange.attempts > 1 && exchange.match!.virtualHost.includesRequestAttemptCount) {
      head.headers.set("x-envoy-attempt-count", `${exchange.attempts}`);
    }
    this.#attempt = new UpstreamAttempt(this, endpoint, startMs);
    const endsHere = head.upgrade === "connect" && this.#action.terminatesConnect;
    const protocol = endsHere ? "tunnel" : exchange.protocol;
    this.#attempt.begin(poolOf(endpoint, cluster, protocol, this.#pools), isFresh);
  }

  #pickContext(): PickContext {
    const header = this.cluster.plan.originalDstHeader;
    const named = header === undefined ? undefined : parseHostPort(this.head.headers.get(header));
    return {
      subset: this.#choice.subset,
      hash: requestHash(this.cluster.plan.balancer, this.#action.hashPolicy, this.#exchange),
      originalDestination: named ?? this.#exchange.connection.local,
      avoid: this.#action.retry?.avoidPreviousHosts ? this.#tried : undefined,
    };
  }

  /** Whether a request that met a closing connection may be sent again, once and unasked. */
  #mayRepeat({ isUnprocessed }: AttemptFailure): boolean {
    if (this.#hasRacedOnce || !this.body.isReplayable || this.#exchange.isUpgrade) return false;
    return isUnprocessed || idempotent.has(this.head.method);
  }

  #replyFailure(reason: ResetReason, transport: string, isTls: boolean): void {
    const wasRetried = this.#tried !== undefined;
    const { status, body, details, flag } = failureReply(reason, transport, isTls, wasRetried);
    this.#count(status);
    replyInstead(this.#exchange, this.#choice, status, body, details, flag);
  }

  #replyTimeout(details: string): void {
    const exchange = this.#exchange;
    if (!exchange.hasResponded) this.#count(504);
    const flag = ResponseFlag.UpstreamRequestTimeout;
    replyInstead(exchange, this.#choice, 504, "upstream request timeout", details, flag);
  }

  #flagRefusal(verdict: RetryVerdict): void {
    if (verdict === "limit-reached") this.#exchange.flags |= ResponseFlag.UpstreamRetryLimitExceeded;
    else if (verdict === "overflow") this.#exchange.flags |= ResponseFlag.UpstreamOverflow;
  }

  #retryLater({ endpoint }: UpstreamAttempt): void {
    this.#attempt = undefined;
    this.#tried ??= [];
    this.#tried.push(endpoint);
    this.#backoff = this.context.clock.setTimer(() => {
      this.#backoff = undefined;
      if (!this.#isOver) this.#begin(false);
    }, this.#retry!.nextDelayMs());
  }

  /** Nothing more is expected from the upstream. */
  #conclude(): void {
    this.#isOver = true;
    this.#routeTimer?.stop();
    this.#backoff?.cancel();
    this.#retry?.release();
  }

  #count(status: number): void {
    const { stats } = this.cluster;
    stats.rqCompleted.value += 1;
    if (status < 300) stats.rq2xx.value += 1;
    else if (status < 400) stats.rq3xx.value += 1;
    else if (status < 500) stats.rq4xx.value += 1;
    else stats.rq5xx.value += 1;
  }

  #requestComplete(): void {
    if (this.#exchange.isUpgrade) return;
    this.#startRouteTimer(this.#exchange.requestCompleteMs);
    this.#attempt?.requestComplete();
  }

  #startRouteTimer(nowMs: number): void {
    if (this.#action.timeoutMs === 0 || this.#isOver || this.#routeTimer) return;
    this.#routeTimer = new TimerEntry(this, 0);
    this.context.timers.start(this.#routeTimer, this.#action.timeoutMs, nowMs);
  }
}
