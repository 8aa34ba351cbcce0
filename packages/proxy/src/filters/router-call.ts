import type { Timer } from "@weft/base/clock";
import type { AttemptOutcome, Breakers, Cluster, Endpoint, PickContext } from "../cluster/cluster.ts";
import { poolOf } from "../cluster/endpoint-pools.ts";
import { requestHash } from "../cluster/request-hash.ts";
import type { UpstreamCall } from "../layer/forwarder.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { HttpExchange } from "../layer/http-exchange.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { ClientStream, ResetReason } from "../layer/stream.ts";
import type { PoolRequester, UpstreamConnectionInfo, UpstreamPool } from "../layer/upstream-pool.ts";
import { parseHostPort } from "../net/socket-address.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";
import { applyHeaderEdits } from "../route/header-edits.ts";
import type { ClusterChoice, ForwardAction } from "../route/route-plan.ts";
import { RequestBody } from "./request-body.ts";
import { RetryState, type RetryVerdict } from "./retry-state.ts";
import type { RouterPlan } from "./router-plan.ts";
import { failureReply, interruption } from "./upstream-failure.ts";

const routeTimer = 0;
const perTryTimer = 1;

const localFailure: AttemptOutcome = { kind: "local-origin-failure" };
const timedOut: AttemptOutcome = { kind: "timeout" };
const responses: AttemptOutcome[] = [];

/** Methods a client may repeat without asking (RFC 9110 §9.2.2). */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/**
 * One request on its way to a cluster: picks an endpoint, waits for a
 * connection, sends, and tries again as far as the retry policy and safety
 * allow. At most one attempt is under way at a time.
 *
 * A request is sent twice only when the policy asks for it, or when it provably
 * was not acted upon: never sent, or sent on a reused connection the upstream
 * was just closing and harmless to repeat.
 */
export class RouterCall implements UpstreamCall, PoolRequester, TimerOwner {
  readonly #exchange: HttpExchange;
  readonly #action: ForwardAction;
  readonly #choice: ClusterChoice;
  readonly #cluster: Cluster;
  readonly #plan: RouterPlan;
  readonly #pools: PoolContext;
  readonly #breakers: Breakers;
  readonly #retry: RetryState | undefined;
  readonly #body: RequestBody;
  #endpoint: Endpoint | undefined = undefined;
  #pool: UpstreamPool | undefined = undefined;
  #stream: ClientStream | undefined = undefined;
  #tried: Endpoint[] | undefined = undefined;
  #attemptStartMs = 0;
  #isAttempting = false;
  #isOver = false;
  #isFresh = false;
  #hasRacedOnce = false;
  #wasRetried = false;
  #isPausedByUs = false;
  #routeTimer: TimerEntry | undefined = undefined;
  #perTryTimer: TimerEntry | undefined = undefined;
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
    const isUpgrade = exchange.request!.upgrade !== "";
    this.#exchange = exchange;
    this.#action = action;
    this.#choice = choice;
    this.#cluster = cluster;
    this.#plan = plan;
    this.#pools = pools;
    this.#breakers = cluster.breakers(action.priority);
    this.#retry =
      action.retry && !isUpgrade
        ? new RetryState(action.retry, this.#breakers.retries, cluster.stats, context.random)
        : undefined;
    this.#body = new RequestBody(bufferLimitBytes, this.#retry !== undefined);
  }

  /** Makes the head what the upstream shall see, and starts the first attempt. */
  start(): void {
    const exchange = this.#exchange;
    const request = exchange.request!;
    const { choice, action } = { choice: this.#choice, action: this.#action };
    if (choice.requestEdits) applyHeaderEdits(choice.requestEdits, request.headers, exchange);
    const routeEdits = exchange.match!.route.requestEdits;
    if (routeEdits) applyHeaderEdits(routeEdits, request.headers, exchange);
    if (action.rewritePath) this.#rewritePath(request, action.rewritePath);
    if (action.rewriteAuthority !== undefined) request.authority = action.rewriteAuthority;
    const perTryMs = action.retry?.perTryTimeoutMs ?? 0;
    if (!this.#plan.suppressEnvoyHeaders && action.timeoutMs > 0) {
      const expectedMs = perTryMs > 0 && perTryMs < action.timeoutMs ? perTryMs : action.timeoutMs;
      request.headers.append("x-envoy-expected-rq-timeout-ms", `${expectedMs}`);
    }
    if (request.upgrade !== "") {
      exchange.isUpgrade = true;
      exchange.service.stats.cxUpgradesTotal.value += 1;
      exchange.service.stats.cxUpgradesActive.value += 1;
    } else if (exchange.isRequestDone && !exchange.holdsBody) this.#body.end();
    this.#attempt();
    if (exchange.isRequestDone && request.upgrade === "") this.#startRouteTimer(exchange.startMs);
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    if (this.#isOver) return;
    this.#body.add(chunk, end, this.#stream !== undefined || this.#exchange.isUpgrade);
    if (this.#stream) {
      this.#stream.sendData(chunk, end);
      if (!this.#stream.isWritable) this.#exchange.pauseRequest();
    } else if (this.#exchange.isUpgrade) this.#body.keep(chunk);
    if (!this.#stream && this.#body.isFull) this.#exchange.pauseRequest();
    if (end) this.#requestComplete();
  }

  onRequestTrailers(trailers: HeaderList): void {
    if (this.#isOver) return;
    this.#body.endWith(trailers);
    this.#stream?.sendTrailers(trailers);
    this.#requestComplete();
  }

  onResponseWritable(): void {
    if (!this.#isPausedByUs) return;
    this.#isPausedByUs = false;
    this.#stream?.resumeResponse();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#routeTimer?.stop();
    this.#backoff?.cancel();
    this.#retry?.release();
    if (this.#isAttempting) {
      this.#cluster.stats.rqCancelled.value += 1;
      this.#abandon();
    }
  }

  onStreamReady(stream: ClientStream, connection: UpstreamConnectionInfo): void {
    const exchange = this.#exchange;
    const request = exchange.request!;
    this.#pool = undefined;
    this.#stream = stream;
    exchange.upstreamPeer = connection.peer;
    exchange.upstreamLocal = connection.local;
    const body = this.#body;
    const isBare = body.isEmpty && body.isComplete && !body.trailers;
    const extra = stream.isFirstOnConnection ? exchange.upstreamConnectionHeaders : undefined;
    stream.sendHead(request, isBare, extra);
    if (!isBare && !body.isEmpty) {
      const { chunks } = body;
      const hasEnd = body.isComplete && !body.trailers;
      for (let i = 0; i < chunks.length; i++) stream.sendData(chunks[i]!, hasEnd && i === chunks.length - 1);
    } else if (!isBare && body.isComplete && !body.trailers) stream.sendData(emptyChunk, true);
    if (body.trailers) stream.sendTrailers(body.trailers);
    body.sent();
    if (!stream.isWritable) exchange.pauseRequest();
    else exchange.resumeRequest();
    if (body.isComplete) this.#startPerTryTimer();
  }

  onStreamFailed(reason: ResetReason, transport: string, isTls: boolean): void {
    this.#pool = undefined;
    this.#exchange.upstreamTransportFailure = transport;
    this.#attemptFailed(reason, transport, isTls, true, reason !== "overflow");
  }

  onInformational(head: ResponseHead): void {
    // 100 has been answered by the codec; the others go on.
    if (!this.#isOver && head.status !== 100) this.#exchange.sendInformational(head);
  }

  onResponseHead(head: ResponseHead, end: boolean): void {
    if (this.#isOver) return;
    const exchange = this.#exchange;
    const nowMs = exchange.service.context.clock.monotonicMs();
    exchange.upstreamFirstByteMs = nowMs;
    this.#perTryTimer?.stop();
    const { status, headers } = head;
    this.#cluster.report(this.#endpoint!, outcomeOf(status));
    this.#count(status);
    if (this.#retry) {
      const verdict = this.#body.isReplayable ? this.#retry.onResponse(status, headers) : "no";
      if (verdict === "retry") {
        this.#endAttempt(nowMs);
        if (!end) this.#dropStream();
        this.#stream = undefined;
        this.#retryLater();
        return;
      }
      this.#flagRefusal(verdict);
    }
    if (end) this.#endAttempt(nowMs);
    if (!this.#plan.suppressEnvoyHeaders) {
      const sinceMs = Math.round(nowMs - (exchange.requestCompleteMs || this.#attemptStartMs));
      headers.set("x-envoy-upstream-service-time", `${sinceMs}`);
    }
    if (exchange.match!.virtualHost.includesResponseAttemptCount) {
      headers.set("x-envoy-attempt-count", `${exchange.attempts}`);
    }
    if (exchange.stickyCookie !== undefined) headers.append("set-cookie", exchange.stickyCookie);
    if (this.#choice.responseEdits) applyHeaderEdits(this.#choice.responseEdits, headers, exchange);
    const edits = exchange.match!.route.responseEdits;
    if (edits) applyHeaderEdits(edits, headers, exchange);
    if (end) this.#conclude();
    exchange.sendResponse(head, end);
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    if (this.#isOver) return;
    const exchange = this.#exchange;
    if (end) {
      this.#endAttempt(exchange.service.context.clock.monotonicMs());
      this.#conclude();
    }
    exchange.sendData(chunk, end);
    if (!end && !exchange.isResponseWritable && !this.#isOver) {
      this.#isPausedByUs = true;
      this.#stream?.pauseResponse();
    }
  }

  onResponseTrailers(trailers: HeaderList): void {
    if (this.#isOver) return;
    this.#endAttempt(this.#exchange.service.context.clock.monotonicMs());
    this.#conclude();
    this.#exchange.sendTrailers(trailers);
  }

  onResponseReset(reason: ResetReason, isUnprocessed: boolean): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (this.#isOver) return;
    this.#cluster.stats.rqRxReset.value += 1;
    if (this.#exchange.hasResponded) {
      const { details, flag } = interruption(reason);
      this.#cluster.report(this.#endpoint!, localFailure);
      this.#endAttempt(this.#exchange.service.context.clock.monotonicMs());
      this.#conclude();
      this.#exchange.breakOff(flag, details);
      return;
    }
    if (stream && this.#isKeepAliveRace(stream, reason, isUnprocessed)) {
      this.#hasRacedOnce = true;
      this.#isFresh = true;
      this.#endAttempt(this.#exchange.service.context.clock.monotonicMs());
      this.#attempt();
      return;
    }
    this.#attemptFailed(reason, "", false, isUnprocessed, true);
  }

  onRequestWritable(): void {
    this.#exchange.resumeRequest();
  }

  onTimer(kind: number): void {
    const exchange = this.#exchange;
    const { stats } = this.#cluster;
    if (kind === perTryTimer) {
      stats.rqPerTryTimeout.value += 1;
      this.#cluster.report(this.#endpoint!, timedOut);
      this.#abandon();
      const verdict = this.#retry && this.#body.isReplayable ? this.#retry.onPerTryTimeout() : "no";
      if (verdict === "retry") {
        this.#retryLater();
        return;
      }
      this.#flagRefusal(verdict);
      this.#conclude();
      this.#count(504);
      exchange.reply(
        504,
        "upstream request timeout",
        "upstream_per_try_timeout",
        ResponseFlag.UpstreamRequestTimeout,
      );
      return;
    }
    stats.rqTimeout.value += 1;
    if (this.#isAttempting) {
      this.#cluster.report(this.#endpoint!, timedOut);
      this.#abandon();
    }
    this.#conclude();
    if (!exchange.hasResponded) this.#count(504);
    exchange.reply(504, "upstream request timeout", "response_timeout", ResponseFlag.UpstreamRequestTimeout);
  }

  #attempt(): void {
    const exchange = this.#exchange;
    const { stats } = this.#cluster;
    const request = exchange.request!;
    const endpoint = this.#cluster.pick(this.#pickContext(request));
    if (!endpoint) {
      stats.cxNoneHealthy.value += 1;
      this.#conclude();
      exchange.reply(503, "no healthy upstream", "no_healthy_upstream", ResponseFlag.NoHealthyUpstream);
      return;
    }
    exchange.endpoint = endpoint;
    this.#endpoint = endpoint;
    if (!this.#breakers.requests.tryAcquire()) {
      this.#conclude();
      this.#replyFailure("overflow", "", false);
      return;
    }
    exchange.attempts += 1;
    this.#isAttempting = true;
    endpoint.activeRequests += 1;
    stats.rqTotal.value += 1;
    stats.rqActive.value += 1;
    this.#attemptStartMs =
      exchange.attempts === 1 ? exchange.startMs : exchange.service.context.clock.monotonicMs();
    if (this.#action.autoHostRewrite && endpoint.plan.hostname !== "")
      request.authority = endpoint.plan.hostname;
    if (exchange.match!.virtualHost.includesRequestAttemptCount) {
      request.headers.set("x-envoy-attempt-count", `${exchange.attempts}`);
    }
    const pool = poolOf(endpoint, this.#cluster, this.#exchange.protocol, this.#pools);
    this.#pool = pool;
    const isFresh = this.#isFresh;
    this.#isFresh = false;
    pool.request(this, this.#breakers, isFresh);
  }

  #pickContext(request: RequestHead): PickContext {
    const header = this.#cluster.plan.originalDstHeader;
    const named = header === undefined ? undefined : parseHostPort(request.headers.get(header));
    return {
      subset: this.#choice.subset,
      hash: requestHash(this.#cluster.plan.balancer, this.#action.hashPolicy, this.#exchange),
      originalDestination: named ?? this.#exchange.connection.local,
      avoid: this.#action.retry?.avoidPreviousHosts ? this.#tried : undefined,
    };
  }

  /** A reused connection that closes before any answer: the upstream ended it as we began. */
  #isKeepAliveRace(stream: ClientStream, reason: ResetReason, isUnprocessed: boolean): boolean {
    if (reason !== "connection-termination" || stream.isFirstOnConnection || stream.hasResponseBytes)
      return false;
    if (this.#hasRacedOnce || !this.#body.isReplayable || this.#exchange.isUpgrade) return false;
    return isUnprocessed || idempotent.has(this.#exchange.request!.method);
  }

  #attemptFailed(
    reason: ResetReason,
    transport: string,
    isTls: boolean,
    isUnsent: boolean,
    isReported: boolean,
  ): void {
    if (this.#isOver) return;
    const exchange = this.#exchange;
    if (isReported) this.#cluster.report(this.#endpoint!, localFailure);
    this.#endAttempt(exchange.service.context.clock.monotonicMs());
    const verdict = this.#retry && this.#body.isReplayable ? this.#retry.onReset(reason, !isUnsent) : "no";
    if (verdict === "retry") {
      this.#retryLater();
      return;
    }
    this.#flagRefusal(verdict);
    this.#conclude();
    this.#replyFailure(reason, transport, isTls);
  }

  #replyFailure(reason: ResetReason, transport: string, isTls: boolean): void {
    const { status, body, details, flag } = failureReply(reason, transport, isTls, this.#wasRetried);
    const fields = reason === "overflow" ? overloaded : undefined;
    this.#count(status);
    this.#exchange.replyWith(status, Buffer.from(body), details, flag, fields);
  }

  #flagRefusal(verdict: RetryVerdict): void {
    if (verdict === "limit-reached") this.#exchange.flags |= ResponseFlag.UpstreamRetryLimitExceeded;
    else if (verdict === "overflow") this.#exchange.flags |= ResponseFlag.UpstreamOverflow;
  }

  #retryLater(): void {
    this.#wasRetried = true;
    this.#tried ??= [];
    this.#tried.push(this.#endpoint!);
    this.#backoff = this.#exchange.service.context.clock.setTimer(() => {
      this.#backoff = undefined;
      if (!this.#isOver) this.#attempt();
    }, this.#retry!.nextDelayMs());
  }

  /** Nothing more is expected from the upstream. */
  #conclude(): void {
    this.#isOver = true;
    this.#routeTimer?.stop();
    this.#retry?.release();
  }

  /** Gives up the attempt under way, telling the upstream. */
  #abandon(): void {
    this.#endAttempt(this.#exchange.service.context.clock.monotonicMs());
    this.#pool?.cancel(this);
    this.#pool = undefined;
    this.#dropStream();
  }

  #dropStream(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (!stream) return;
    this.#cluster.stats.rqTxReset.value += 1;
    stream.reset("local-reset");
  }

  #endAttempt(nowMs: number): void {
    if (!this.#isAttempting) return;
    this.#isAttempting = false;
    this.#perTryTimer?.stop();
    const { stats } = this.#cluster;
    this.#endpoint!.activeRequests -= 1;
    this.#breakers.requests.release();
    stats.rqActive.value -= 1;
    stats.rqTimeMs.observe(nowMs - this.#attemptStartMs);
  }

  #count(status: number): void {
    const { stats } = this.#cluster;
    stats.rqCompleted.value += 1;
    if (status < 300) stats.rq2xx.value += 1;
    else if (status < 400) stats.rq3xx.value += 1;
    else if (status < 500) stats.rq4xx.value += 1;
    else stats.rq5xx.value += 1;
  }

  #requestComplete(): void {
    if (this.#exchange.isUpgrade) return;
    this.#startRouteTimer(this.#exchange.requestCompleteMs);
    if (this.#stream) this.#startPerTryTimer();
  }

  #startRouteTimer(nowMs: number): void {
    if (this.#action.timeoutMs === 0 || this.#isOver || this.#routeTimer) return;
    this.#routeTimer = new TimerEntry(this, routeTimer);
    this.#exchange.service.context.timers.start(this.#routeTimer, this.#action.timeoutMs, nowMs);
  }

  #startPerTryTimer(): void {
    const timeoutMs = this.#action.retry?.perTryTimeoutMs ?? 0;
    if (timeoutMs === 0 || this.#exchange.isUpgrade) return;
    this.#perTryTimer ??= new TimerEntry(this, perTryTimer);
    const { clock, timers } = this.#exchange.service.context;
    timers.start(this.#perTryTimer, timeoutMs, clock.monotonicMs());
  }

  #rewritePath(request: RequestHead, rewrite: (path: string) => string | undefined): void {
    const before = request.path;
    const after = rewrite(before);
    if (after === undefined || after === before) return;
    request.path = after;
    if (!this.#plan.suppressEnvoyHeaders) request.headers.set("x-envoy-original-path", before);
  }
}

const emptyChunk = Buffer.alloc(0);
const overloaded = ["x-envoy-overloaded", "true"] as const;

function outcomeOf(status: number): AttemptOutcome {
  let outcome = responses[status];
  if (!outcome) {
    outcome = { kind: "response", status };
    responses[status] = outcome;
  }
  return outcome;
}
