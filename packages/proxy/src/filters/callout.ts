import { answerOutcome } from "../cluster/answer-outcome.ts";
import type { AttemptOutcome, Breakers, Cluster, ClusterDirectory, Endpoint } from "../cluster/cluster.ts";
import { poolOf } from "../cluster/endpoint-pools.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import type { ClientStream, ResetReason } from "../layer/stream.ts";
import type { PoolRequester, UpstreamPool } from "../layer/upstream-pool.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";

/** A request of the proxy's own. */
export interface CalloutRequest {
  readonly cluster: string;
  readonly head: RequestHead;
  readonly body: Buffer | undefined;
  /** From the call to the end of the answer; 0 is without limit. */
  readonly timeoutMs: number;
  /** A longer answer is a failure. */
  readonly maxResponseBytes: number;
  /** What a cluster that follows its clients is to speak; absent: HTTP/1.1. */
  readonly protocol?: "HTTP/2";
}

export interface CalloutResponse {
  readonly kind: "response";
  readonly head: ResponseHead;
  readonly body: Buffer;
  readonly trailers: HeaderList | undefined;
}

export interface CalloutFailure {
  readonly kind: "failure";
  readonly reason: "no-cluster" | "no-endpoint" | "overflow" | "reset" | "timeout" | "too-large";
}

export type CalloutResult = CalloutResponse | CalloutFailure;

/** A call under way. */
export interface Callout {
  /** Ends it; nothing more is heard of it. */
  cancel(): void;
}

/** Calls clusters on behalf of filters: authorization, rate limits, key sets. */
export interface Callouts {
  /** `onDone` is called exactly once unless cancelled, possibly before this returns. */
  start(request: CalloutRequest, onDone: (result: CalloutResult) => void): Callout;
}

export function createCallouts(clusters: ClusterDirectory, pools: PoolContext): Callouts {
  return {
    start(request, onDone) {
      const cluster = clusters.get(request.cluster);
      if (!cluster) {
        onDone({ kind: "failure", reason: "no-cluster" });
        return finished;
      }
      const call = new ClusterCall(cluster, request, pools, onDone);
      call.start();
      return call;
    },
  };
}

const finished: Callout = { cancel() {} };
const localFailure: AttemptOutcome = { kind: "local-origin-failure" };
const timedOut: AttemptOutcome = { kind: "timeout" };

/**
 * One request to one endpoint of a cluster, held to the cluster's limits and
 * told to its statistics and outlier detection like any other. Never repeated.
 */
class ClusterCall implements Callout, PoolRequester, TimerOwner {
  readonly #cluster: Cluster;
  readonly #request: CalloutRequest;
  readonly #pools: PoolContext;
  readonly #onDone: (result: CalloutResult) => void;
  readonly #breakers: Breakers;
  readonly #timer = new TimerEntry(this, 0);
  readonly #startMs: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #endpoint: Endpoint | undefined = undefined;
  #pool: UpstreamPool | undefined = undefined;
  #stream: ClientStream | undefined = undefined;
  #head: ResponseHead | undefined = undefined;
  #isOver = false;

  constructor(
    cluster: Cluster,
    request: CalloutRequest,
    pools: PoolContext,
    onDone: (result: CalloutResult) => void,
  ) {
    this.#cluster = cluster;
    this.#request = request;
    this.#pools = pools;
    this.#onDone = onDone;
    this.#breakers = cluster.breakers("default");
    this.#startMs = pools.timers.clock.monotonicMs();
  }

  start(): void {
    const { stats } = this.#cluster;
    const endpoint = this.#cluster.pick(anywhere);
    if (!endpoint) {
      stats.cxNoneHealthy.value += 1;
      this.#isOver = true;
      this.#onDone({ kind: "failure", reason: "no-endpoint" });
      return;
    }
    if (!this.#breakers.requests.tryAcquire()) {
      this.#isOver = true;
      this.#onDone({ kind: "failure", reason: "overflow" });
      return;
    }
    this.#endpoint = endpoint;
    endpoint.activeRequests += 1;
    stats.rqTotal.value += 1;
    stats.rqActive.value += 1;
    this.#pools.timers.start(this.#timer, this.#request.timeoutMs, this.#startMs);
    this.#pool = poolOf(endpoint, this.#cluster, this.#request.protocol ?? "", this.#pools, undefined);
    this.#pool.request(this, this.#breakers, false);
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#cluster.stats.rqCancelled.value += 1;
    this.#abandon();
  }

  onTimer(): void {
    this.#cluster.stats.rqTimeout.value += 1;
    this.#cluster.report(this.#endpoint!, timedOut);
    this.#abandon();
    this.#onDone({ kind: "failure", reason: "timeout" });
  }

  onStreamReady(stream: ClientStream): void {
    this.#pool = undefined;
    this.#stream = stream;
    const { head, body } = this.#request;
    stream.sendHead(head, body === undefined);
    if (body) stream.sendData(body, true);
  }

  onStreamFailed(reason: ResetReason): void {
    this.#pool = undefined;
    this.#failed(reason);
  }

  onInformational(): void {}

  onResponseHead(head: ResponseHead, end: boolean): void {
    if (this.#isOver) return;
    this.#head = head;
    this.#cluster.report(this.#endpoint!, answerOutcome(this.#cluster.plan, head));
    this.#cluster.stats.answers.countInternal(head.status);
    if (end) this.#succeed(undefined);
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    if (this.#isOver) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#request.maxResponseBytes) {
      this.#abandon();
      this.#onDone({ kind: "failure", reason: "too-large" });
      return;
    }
    if (chunk.length > 0) this.#chunks.push(Buffer.from(chunk));
    if (end) this.#succeed(undefined);
  }

  onResponseTrailers(trailers: HeaderList): void {
    if (!this.#isOver) this.#succeed(trailers);
  }

  onResponseReset(reason: ResetReason): void {
    this.#stream = undefined;
    if (this.#isOver) return;
    this.#cluster.stats.rqRxReset.value += 1;
    this.#failed(reason);
  }

  onRequestWritable(): void {}

  #failed(reason: ResetReason): void {
    if (this.#isOver) return;
    const isOverflow = reason === "overflow";
    if (!isOverflow) this.#cluster.report(this.#endpoint!, localFailure);
    this.#settle();
    this.#onDone({ kind: "failure", reason: isOverflow ? "overflow" : "reset" });
  }

  #succeed(trailers: HeaderList | undefined): void {
    this.#settle();
    const body = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#onDone({ kind: "response", head: this.#head!, body, trailers });
  }

  #abandon(): void {
    this.#settle();
    this.#pool?.cancel(this);
    this.#pool = undefined;
    const stream = this.#stream;
    this.#stream = undefined;
    if (!stream) return;
    this.#cluster.stats.rqTxReset.value += 1;
    stream.reset("local-reset");
  }

  #settle(): void {
    this.#isOver = true;
    this.#timer.stop();
    const { stats } = this.#cluster;
    this.#endpoint!.activeRequests -= 1;
    this.#breakers.requests.release();
    stats.rqActive.value -= 1;
    const timeMs = this.#pools.timers.clock.monotonicMs() - this.#startMs;
    stats.rqTimeMs.observe(timeMs);
    stats.answers.observeInternal(timeMs);
  }
}

const anywhere = { subset: undefined, hash: undefined, originalDestination: undefined, avoid: undefined };
