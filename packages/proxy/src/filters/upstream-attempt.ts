import { answerOutcome } from "../cluster/answer-outcome.ts";
import type { AttemptOutcome, Breakers, Cluster, Endpoint } from "../cluster/cluster.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { LayerContext } from "../layer/http-service.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { ClientStream, ResetReason } from "../layer/stream.ts";
import type { UpstreamConnectionInfo } from "../layer/upstream-connection-info.ts";
import type { PoolRequester, UpstreamPool } from "../layer/upstream-pool.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";
import type { CallLimits } from "../route/call-limits.ts";
import type { AttemptSpan } from "../tracing/attempt-span.ts";
import type { AttemptFailure } from "./attempt-failure.ts";
import type { RequestBody } from "./request-body.ts";
import { failureOf } from "./upstream-failure.ts";

export type AttemptTimeout = "per-try" | "idle";

/**
 * Whoever makes attempts: says what is sent, and decides what comes of each
 * attempt. It settles or abandons each one it hears the last of: after
 * `onAttemptFailed` or a head that ends the response, once it has judged the
 * outcome, so that a retry budget still counts the request. No call follows
 * those, the end of the response, or `abandon`.
 */
export interface AttemptOwner {
  readonly context: LayerContext;
  readonly cluster: Cluster;
  readonly breakers: Breakers;
  readonly head: RequestHead;
  readonly body: RequestBody;
  /** No client waits for the answer. */
  readonly isInternal: boolean;
  /** `proxy_100_continue`. */
  readonly proxies100: boolean;
  /** Fields to add where the request is the first on its connection. */
  readonly connectionHeaders: readonly string[] | undefined;
  readonly limits: CallLimits;
  /** The request, as far as it has come, is on its way. */
  onAttemptSent(attempt: UpstreamAttempt): void;
  onAttemptFailed(attempt: UpstreamAttempt, failure: AttemptFailure): void;
  /** A limit of the try was reached, which the endpoint has been charged with. The attempt goes on until it is abandoned. */
  onAttemptTimeout(attempt: UpstreamAttempt, kind: AttemptTimeout): void;
  onAttemptInformational(attempt: UpstreamAttempt, head: ResponseHead): void;
  onAttemptHead(attempt: UpstreamAttempt, head: ResponseHead, end: boolean, nowMs: number): void;
  onAttemptData(attempt: UpstreamAttempt, chunk: Buffer, end: boolean): void;
  onAttemptTrailers(attempt: UpstreamAttempt, trailers: HeaderList): void;
  onAttemptWritable(attempt: UpstreamAttempt): void;
}

const perTryTimer = 0;
const idleTimer = 1;

const localFailure: AttemptOutcome = { kind: "local-origin-failure" };
const timedOut: AttemptOutcome = { kind: "timeout" };
const emptyChunk = Buffer.alloc(0);

/**
 * One try of a request at one endpoint: waits for a connection, sends, times
 * out, and keeps the endpoint's and the cluster's accounts of it. What its
 * outcome means for the request is its owner's business.
 *
 * Holds a place in the cluster's request breaker, which its owner took, until it is over.
 */
export class UpstreamAttempt implements PoolRequester, TimerOwner {
  readonly endpoint: Endpoint;
  readonly startMs: number;
  /** Where attempts are traced. */
  span: AttemptSpan | undefined = undefined;
  readonly #owner: AttemptOwner;
  #pool: UpstreamPool | undefined = undefined;
  #stream: ClientStream | undefined = undefined;
  #connection: UpstreamConnectionInfo | undefined = undefined;
  #isOver = false;
  #perTryTimer: TimerEntry | undefined = undefined;
  #idleTimer: TimerEntry | undefined = undefined;

  constructor(owner: AttemptOwner, endpoint: Endpoint, startMs: number) {
    const { stats } = owner.cluster;
    this.endpoint = endpoint;
    this.startMs = startMs;
    this.#owner = owner;
    endpoint.activeRequests += 1;
    stats.rqTotal.value += 1;
    stats.rqActive.value += 1;
  }

  /** Whether a connection takes request data already. */
  get isConnected(): boolean {
    return this.#stream !== undefined;
  }

  /** The connection that carries the request, once there is one. */
  get connection(): UpstreamConnectionInfo | undefined {
    return this.#connection;
  }

  /** Whether the connection takes more request data now. */
  get isWritable(): boolean {
    return this.#stream?.isWritable ?? false;
  }

  /** Asks for a connection, one nobody used before where `isFresh`. */
  begin(pool: UpstreamPool, isFresh: boolean): void {
    this.#pool = pool;
    pool.request(this, this.#owner.breakers, isFresh);
  }

  /** No effect before `isConnected`: then the owner's `body` is what is sent. */
  sendData(chunk: Buffer, end: boolean): void {
    this.#stream?.sendData(chunk, end);
  }

  sendTrailers(trailers: HeaderList): void {
    this.#stream?.sendTrailers(trailers);
  }

  /** The last of the request has been given. */
  requestComplete(): void {
    if (this.#stream) this.#startTimers();
  }

  pauseResponse(): void {
    this.#stream?.pauseResponse();
  }

  resumeResponse(): void {
    this.#stream?.resumeResponse();
  }

  /** Gives back what the attempt holds. No effect once over. */
  settle(nowMs: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#perTryTimer?.stop();
    this.#idleTimer?.stop();
    const { breakers, cluster, isInternal } = this.#owner;
    this.endpoint.activeRequests -= 1;
    breakers.requests.release();
    cluster.stats.rqActive.value -= 1;
    const timeMs = nowMs - this.startMs;
    cluster.stats.rqTimeMs.observe(timeMs);
    if (isInternal) cluster.stats.answers.observeInternal(timeMs);
    else cluster.stats.answers.observeExternal(timeMs);
    this.span?.end(nowMs);
  }

  /** Charges the endpoint with a failure that may have been nobody's fault: a keep-alive race. */
  blame(): void {
    this.#owner.cluster.report(this.endpoint, localFailure);
  }

  /** Gives up, telling the upstream. No effect once over. */
  abandon(): void {
    if (this.#isOver) return;
    this.settle(this.#owner.context.clock.monotonicMs());
    this.#pool?.cancel(this);
    this.#pool = undefined;
    this.#reset();
  }

  /** Lets go of an answer nobody wants, the rest of it unless that was all: no failure of anybody's. */
  leave(nowMs: number, isComplete: boolean): void {
    this.settle(nowMs);
    if (!isComplete) this.#stream?.reset("local-reset");
    this.#stream = undefined;
  }

  /** The request took longer than its owner allows: as `abandon`, and the endpoint is charged with it. */
  expire(): void {
    if (this.#isOver) return;
    this.#owner.cluster.report(this.endpoint, timedOut);
    this.span?.onFailure("timeout", ResponseFlag.UpstreamRequestTimeout);
    this.abandon();
  }

  onStreamReady(stream: ClientStream, connection: UpstreamConnectionInfo): void {
    const { head, body, connectionHeaders } = this.#owner;
    this.#pool = undefined;
    this.#stream = stream;
    this.#connection = connection;
    const isBare = body.isEmpty && body.isComplete && !body.trailers;
    this.span?.inject(head.headers);
    stream.sendHead(head, isBare, stream.isFirstOnConnection ? connectionHeaders : undefined);
    if (!isBare && !body.isEmpty) {
      const { chunks } = body;
      const hasEnd = body.isComplete && !body.trailers;
      for (let i = 0; i < chunks.length; i++) stream.sendData(chunks[i]!, hasEnd && i === chunks.length - 1);
    } else if (!isBare && body.isComplete && !body.trailers) stream.sendData(emptyChunk, true);
    if (body.trailers) stream.sendTrailers(body.trailers);
    body.sent();
    this.#owner.onAttemptSent(this);
    if (body.isComplete) this.#startTimers();
  }

  onStreamFailed(reason: ResetReason, transport: string, isTls: boolean): void {
    this.#pool = undefined;
    if (this.#isOver) return;
    this.#tellSpan(reason);
    if (reason !== "overflow") this.#owner.cluster.report(this.endpoint, localFailure);
    const failure = { reason, transport, isTls, isUnprocessed: true, isKeepAliveRace: false };
    this.#owner.onAttemptFailed(this, failure);
  }

  onInformational(head: ResponseHead): void {
    if (this.#isOver) return;
    if (this.#idleTimer) this.#restartIdleTimer(this.#idleTimer);
    // 100 has been answered by the codec where it is not the upstream's business; the others go on.
    if (head.status !== 100 || this.#owner.proxies100) this.#owner.onAttemptInformational(this, head);
  }

  onResponseHead(head: ResponseHead, end: boolean): void {
    if (this.#isOver) return;
    const nowMs = this.#owner.context.clock.monotonicMs();
    this.span?.onHead(head);
    this.#perTryTimer?.stop();
    if (this.#idleTimer) this.#restartIdleTimer(this.#idleTimer);
    const { cluster } = this.#owner;
    cluster.report(this.endpoint, answerOutcome(cluster.plan, head));
    if (cluster.plan.healthCheck && head.headers.has("x-envoy-immediate-health-check-fail"))
      cluster.failPassively(this.endpoint);
    // An error may come fast without its endpoint being so.
    if (head.status < 500) this.endpoint.latency?.observe(nowMs - this.startMs, nowMs);
    this.#owner.onAttemptHead(this, head, end, nowMs);
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    if (this.#isOver) return;
    if (end) this.settle(this.#owner.context.clock.monotonicMs());
    else if (this.#idleTimer) this.#restartIdleTimer(this.#idleTimer);
    this.#owner.onAttemptData(this, chunk, end);
  }

  onResponseTrailers(trailers: HeaderList): void {
    if (this.#isOver) return;
    this.span?.onTrailers(trailers);
    this.settle(this.#owner.context.clock.monotonicMs());
    this.#owner.onAttemptTrailers(this, trailers);
  }

  onResponseReset(reason: ResetReason, isUnprocessed: boolean): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (this.#isOver) return;
    const { cluster } = this.#owner;
    this.#tellSpan(reason);
    cluster.stats.rqRxReset.value += 1;
    const isKeepAliveRace =
      reason === "connection-termination" &&
      stream !== undefined &&
      !stream.isFirstOnConnection &&
      !stream.hasResponseBytes;
    if (!isKeepAliveRace) cluster.report(this.endpoint, localFailure);
    this.#owner.onAttemptFailed(this, {
      reason,
      transport: "",
      isTls: false,
      isUnprocessed,
      isKeepAliveRace,
    });
  }

  onRequestWritable(): void {
    if (!this.#isOver) this.#owner.onAttemptWritable(this);
  }

  onTimer(kind: number): void {
    this.#owner.cluster.report(this.endpoint, timedOut);
    this.span?.onFailure("timeout", ResponseFlag.UpstreamRequestTimeout);
    this.#owner.onAttemptTimeout(this, kind === perTryTimer ? "per-try" : "idle");
  }

  /** The request is on its way in full: from here on the answer has its time. */
  #startTimers(): void {
    const { perTryTimeoutMs, perTryIdleTimeoutMs } = this.#owner.limits;
    if (this.#isOver) return;
    if (perTryTimeoutMs > 0) {
      const { clock, timers } = this.#owner.context;
      this.#perTryTimer ??= new TimerEntry(this, perTryTimer);
      timers.start(this.#perTryTimer, perTryTimeoutMs, clock.monotonicMs());
    }
    if (perTryIdleTimeoutMs > 0) {
      this.#idleTimer ??= new TimerEntry(this, idleTimer);
      this.#restartIdleTimer(this.#idleTimer);
    }
  }

  #restartIdleTimer(timer: TimerEntry): void {
    const { limits, context } = this.#owner;
    context.timers.start(timer, limits.perTryIdleTimeoutMs, context.clock.monotonicMs());
  }

  #tellSpan(reason: ResetReason): void {
    if (!this.span) return;
    const { text, flag } = failureOf(reason);
    this.span.onFailure(text, flag);
  }

  #reset(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (!stream) return;
    this.#owner.cluster.stats.rqTxReset.value += 1;
    stream.reset("local-reset");
  }
}
