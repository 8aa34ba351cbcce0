import type { Timer } from "@weft/base/clock";
import type { Breakers, Cluster } from "../cluster/cluster.ts";
import type { UpstreamCall } from "../layer/forwarder.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { HttpExchange } from "../layer/http-exchange.ts";
import type { LayerContext } from "../layer/http-service.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";
import type { CallLimits } from "../route/call-limits.ts";
import type { RetryPlan } from "../route/retry-plan.ts";
import type { AttemptFailure } from "./attempt-failure.ts";
import { type CallTarget, poolFor } from "./call-target.ts";
import {
  prepareAttemptHead,
  prepareRequestHead,
  prepareResponseHead,
  prepareRetryHead,
} from "./forwarded-heads.ts";
import { followRedirect } from "./internal-redirect.ts";
import { pickContextOf } from "./pick-context.ts";
import { bodyFor, type RequestBody } from "./request-body.ts";
import { limitsOf, retryOf, takeInstructions } from "./request-instructions.ts";
import { type MirrorGroup, startMirrors } from "./request-mirror.ts";
import { mayRepeat, RetryState, type RetryVerdict, refusalFlag } from "./retry-state.ts";
import { RetryTargets } from "./retry-targets.ts";
import { SlowAttempts } from "./slow-attempts.ts";
import { type AttemptOwner, type AttemptTimeout, UpstreamAttempt } from "./upstream-attempt.ts";
import { answerFailure, answerTimeout, answerUnhealthy, interruption, overflow } from "./upstream-failure.ts";

/**
 * One request on its way to a cluster: picks endpoints, and makes attempts at
 * them as far as the retry policy and safety allow.
 *
 * A request is sent twice only when the policy asks for it, or when it provably
 * was not acted upon: never sent, or sent on a reused connection the upstream
 * was just closing and harmless to repeat.
 */
export class RouterCall implements UpstreamCall, AttemptOwner, TimerOwner {
  readonly isInternal = false;
  readonly context: LayerContext;
  readonly cluster: Cluster;
  readonly breakers: Breakers;
  readonly head: RequestHead;
  readonly body: RequestBody;
  readonly limits: CallLimits;
  readonly #exchange: HttpExchange;
  readonly #target: CallTarget;
  readonly #policy: RetryPlan | undefined;
  readonly #retry: RetryState | undefined;
  /** The latest attempt: it is given the request, and in the end it is the one that answers. */
  #attempt: UpstreamAttempt | undefined = undefined;
  #slow: SlowAttempts | undefined = undefined;
  #mirrors: MirrorGroup | undefined = undefined;
  #tried: RetryTargets | undefined = undefined;
  #isOver = false;
  #hasRacedOnce = false;
  #isPausedByUs = false;
  #routeTimer: TimerEntry | undefined = undefined;
  #backoff: Timer | undefined = undefined;

  constructor(exchange: HttpExchange, target: CallTarget, cluster: Cluster) {
    const { action, plan } = target;
    const { context, bufferLimitBytes } = exchange.service;
    const request = exchange.request!;
    const asked = takeInstructions(request.headers);
    const policy = request.upgrade === "" ? retryOf(action.retry, request, asked) : undefined;
    this.context = context;
    this.cluster = cluster;
    this.breakers = cluster.breakers(action.priority);
    this.head = request;
    this.limits = limitsOf(action, request, asked, plan.respectsExpectedTimeout ?? false);
    this.#exchange = exchange;
    this.#target = target;
    this.#policy = policy;
    this.#retry = policy && new RetryState(policy, this.breakers.retries, cluster.stats, context);
    this.body = bodyFor(action, policy, bufferLimitBytes);
  }

  get proxies100(): boolean {
    return this.#exchange.plan.proxies100;
  }

  get connectionHeaders(): readonly string[] | undefined {
    return this.#exchange.upstreamConnectionHeaders;
  }

  /** Makes the head what the upstream shall see, and starts the first attempt. */
  start(): void {
    const exchange = this.#exchange;
    const isUpgrade = this.head.upgrade !== "";
    prepareRequestHead(exchange, this.#target, this.limits);
    if (isUpgrade) {
      exchange.isUpgrade = true;
      exchange.service.stats.cxUpgradesTotal.value += 1;
      exchange.service.stats.cxUpgradesActive.value += 1;
    } else {
      if (exchange.isRequestDone && !exchange.holdsBody) this.body.end();
      const { mirrors } = this.#target.action;
      if (mirrors) this.#mirrors = startMirrors(mirrors, exchange, this.#target, this.limits.timeoutMs);
    }
    this.#begin(false);
    if (exchange.isRequestDone && !isUpgrade) this.#startRouteTimer(exchange.startMs);
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    if (this.#isOver) return;
    const { body } = this;
    const attempt = this.#attempt;
    this.#mirrors?.onRequestData(chunk, end);
    body.add(chunk, end, attempt?.isConnected === true || this.#exchange.isUpgrade);
    if (attempt?.isConnected) {
      attempt.sendData(chunk, end);
      if (!attempt.isWritable) this.#exchange.pauseRequest();
    } else {
      if (this.#exchange.isUpgrade) body.keep(chunk);
      if (body.isFull) this.#exchange.pauseRequest();
    }
    if (end) this.#requestComplete();
  }

  onRequestTrailers(trailers: HeaderList): void {
    if (this.#isOver) return;
    this.body.endWith(trailers);
    this.#mirrors?.onRequestTrailers(trailers);
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
    if (!this.#attempt && !this.#slow) return;
    this.cluster.stats.rqCancelled.value += 1;
    this.#attempt?.abandon();
    this.#slow?.abandon(undefined);
  }

  onAttemptSent(attempt: UpstreamAttempt): void {
    const exchange = this.#exchange;
    this.#exchange.recordUpstream(attempt.endpoint, attempt.connection);
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
    if (this.#retry && this.#judge(this.#retry, attempt, head, end, nowMs)) return;
    if (this.#follows(attempt, head, end, nowMs)) return;
    this.cluster.stats.answers.countExternal(head.status);
    if (this.#slow) this.#choose(attempt);
    const upstreamMs = nowMs - (exchange.requestCompleteMs || attempt.startMs);
    prepareResponseHead(exchange, this.#target, head, upstreamMs);
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
      attempt.settle(nowMs);
      this.#conclude();
      const { details, flag } = interruption(failure.reason);
      exchange.service.stats.rqResetAfterResponse.value += 1;
      exchange.breakOff(flag, details);
      return;
    }
    if (failure.isKeepAliveRace) {
      const isOnce = !this.#hasRacedOnce && !exchange.isUpgrade;
      if (isOnce && mayRepeat(failure, this.head, this.body)) {
        this.#hasRacedOnce = true;
        attempt.settle(nowMs);
        this.#begin(true);
        return;
      }
      attempt.blame();
    }
    if (failure.transport !== "") exchange.upstreamTransportFailure = failure.transport;
    const isTriedAgain = this.#slow?.has(attempt);
    const verdict =
      this.#retry && !isTriedAgain && this.body.isReplayable
        ? this.#retry.onReset(failure.reason, !failure.isUnprocessed)
        : "no";
    attempt.settle(nowMs);
    if (verdict === "retry") {
      this.#retryLater(attempt, false);
      return;
    }
    exchange.flags |= refusalFlag(verdict);
    if (this.#awaitsOther(attempt)) {
      this.#forget(attempt);
      return;
    }
    this.#conclude();
    answerFailure(exchange, this.cluster, failure, this.#tried !== undefined);
  }

  onAttemptTimeout(attempt: UpstreamAttempt, kind: AttemptTimeout): void {
    const { hasResponded } = this.#exchange;
    if (this.limits.hedgesOnTimeout && !hasResponded) {
      this.#hedge(attempt);
      return;
    }
    const { stats } = this.cluster;
    if (kind === "per-try") stats.rqPerTryTimeout.value += 1;
    else stats.rqPerTryIdleTimeout.value += 1;
    const verdict =
      this.#retry && !hasResponded && this.body.isReplayable ? this.#retry.onPerTryTimeout() : "no";
    attempt.abandon();
    if (verdict === "retry") {
      this.#retryLater(attempt, true);
      return;
    }
    this.#exchange.flags |= refusalFlag(verdict);
    this.#conclude();
    const details = kind === "per-try" ? "upstream_per_try_timeout" : "upstream_per_try_idle_timeout";
    answerTimeout(this.#exchange, this.cluster, this.limits.timeoutStatus, details);
  }

  /** The whole request took too long. */
  onTimer(): void {
    this.cluster.stats.rqTimeout.value += 1;
    this.#attempt?.expire();
    this.#slow?.abandon(undefined);
    this.#conclude();
    answerTimeout(this.#exchange, this.cluster, this.limits.timeoutStatus, "response_timeout");
  }

  /** Whether an answer is a redirect that is followed here. */
  #follows(attempt: UpstreamAttempt, head: ResponseHead, end: boolean, nowMs: number): boolean {
    const plan = this.#target.action.internalRedirect;
    if (!plan?.statuses.has(head.status)) return false;
    const followed = followRedirect(this.#exchange, plan, head, this.body, this.cluster.stats);
    if (!followed) return false;
    attempt.leave(nowMs, end);
    this.#slow?.abandon(attempt);
    this.#conclude();
    this.#exchange.redirect(head, followed);
    return true;
  }

  /** Whether an answer is not passed on: because another attempt follows, or one that may do better is under way. */
  #judge(
    retry: RetryState,
    attempt: UpstreamAttempt,
    head: ResponseHead,
    end: boolean,
    nowMs: number,
  ): boolean {
    let isUnwanted = false;
    let verdict: RetryVerdict = "no";
    if (this.#slow?.has(attempt)) isUnwanted = retry.isRetriable(head.status, head.headers);
    else if (this.body.isReplayable) {
      verdict = retry.onResponse(head.status, head.headers);
      isUnwanted = verdict !== "no";
      if (verdict !== "retry") this.#exchange.flags |= refusalFlag(verdict);
    }
    const isRetried = verdict === "retry";
    if (!isRetried && !(isUnwanted && this.#awaitsOther(attempt))) return false;
    if (end) attempt.settle(nowMs);
    else attempt.abandon();
    if (isRetried) {
      this.cluster.stats.retriedAnswers.count(head.status);
      this.#retryLater(attempt, false);
    } else this.#forget(attempt);
    return true;
  }

  /** Makes another attempt beside one that takes too long, once for each and as far as retries are left. */
  #hedge(attempt: UpstreamAttempt): void {
    if (!this.#retry || !this.body.isReplayable || this.#slow?.has(attempt)) return;
    const verdict = this.#retry.onHedge();
    if (verdict === "retry") {
      this.#slow ??= new SlowAttempts();
      this.#slow.add(attempt);
      this.#retryLater(attempt, true);
    } else this.#exchange.flags |= refusalFlag(verdict);
  }

  /** Of several attempts that may be under way, takes this one's answer. */
  #choose(attempt: UpstreamAttempt): void {
    this.#backoff?.cancel();
    if (this.#attempt !== attempt) this.#attempt?.abandon();
    this.#slow!.abandon(attempt);
    this.#slow = undefined;
    this.#attempt = attempt;
    this.#exchange.endpoint = attempt.endpoint;
    this.#exchange.recordUpstream(attempt.endpoint, attempt.connection);
    this.#retry!.release();
  }

  /** Whether an answer may still come from another attempt, under way or to be made. */
  #awaitsOther(attempt: UpstreamAttempt): boolean {
    if (!this.#slow) return false;
    if (this.#backoff || (this.#attempt && this.#attempt !== attempt)) return true;
    return this.#slow.hasOther(attempt);
  }

  #forget(attempt: UpstreamAttempt): void {
    if (this.#attempt === attempt) this.#attempt = undefined;
    this.#slow?.remove(attempt);
  }

  /** Makes an attempt at an endpoint, over a connection nobody used before where `isFresh`. */
  #begin(isFresh: boolean): void {
    const exchange = this.#exchange;
    const { cluster } = this;
    exchange.attempts += 1;
    const endpoint = cluster.pick(pickContextOf(exchange, cluster, this.#target, this.#tried));
    if (!endpoint) {
      if (this.#slow?.hasOther(undefined)) return;
      this.#conclude();
      answerUnhealthy(exchange, cluster);
      return;
    }
    exchange.recordEndpoint(endpoint);
    if (!this.breakers.requests.tryAcquire()) {
      this.#conclude();
      answerFailure(exchange, cluster, overflow, this.#tried !== undefined);
      return;
    }
    const startMs = exchange.attempts === 1 ? exchange.startMs : this.context.clock.monotonicMs();
    prepareAttemptHead(exchange, this.#target, endpoint.plan.hostname);
    this.#attempt = new UpstreamAttempt(this, endpoint, startMs);
    const { trace } = exchange;
    if (trace && (trace.plan.spawnsUpstreamSpan || this.#target.plan.startsChildSpan))
      this.#attempt.span = trace.startAttempt(exchange, cluster, endpoint, this.context.clock.monotonicMs());
    this.#attempt.begin(poolFor(exchange, this.#target, cluster, endpoint), isFresh);
  }

  #retryLater({ endpoint }: UpstreamAttempt, wasTimeout: boolean): void {
    this.#attempt = undefined;
    this.#tried ??= new RetryTargets(this.#policy!.placement);
    this.#tried.add(endpoint);
    this.#backoff = this.context.clock.setTimer(() => {
      this.#backoff = undefined;
      if (this.#isOver) return;
      prepareRetryHead(this.#exchange, this.#target, this.limits, wasTimeout);
      this.#begin(false);
    }, this.#retry!.nextDelayMs());
  }

  /** Nothing more is expected from the upstream. */
  #conclude(): void {
    this.#isOver = true;
    this.#routeTimer?.stop();
    this.#backoff?.cancel();
    this.#retry?.release();
    if (!this.body.isComplete) this.#mirrors?.cancel();
  }

  #requestComplete(): void {
    if (this.#exchange.isUpgrade) return;
    this.#startRouteTimer(this.#exchange.requestCompleteMs);
    this.#attempt?.requestComplete();
  }

  #startRouteTimer(nowMs: number): void {
    if (this.limits.timeoutMs === 0 || this.#isOver || this.#routeTimer) return;
    this.#routeTimer = new TimerEntry(this, 0);
    this.context.timers.start(this.#routeTimer, this.limits.timeoutMs, nowMs);
  }
}
