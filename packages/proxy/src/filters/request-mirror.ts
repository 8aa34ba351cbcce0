import type { Breakers, Cluster } from "../cluster/cluster.ts";
import { poolOf } from "../cluster/endpoint-pools.ts";
import { requestHash } from "../cluster/request-hash.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { HttpExchange } from "../layer/http-exchange.ts";
import type { LayerContext } from "../layer/http-service.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import { machineAddress } from "../layer/request-preparation.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";
import { type CallLimits, routeLimits } from "../route/call-limits.ts";
import type { MirrorPlan } from "../route/mirror-plan.ts";
import type { CallTarget } from "./call-target.ts";
import { RequestBody } from "./request-body.ts";
import { type AttemptOwner, UpstreamAttempt } from "./upstream-attempt.ts";

/** The timer of the whole request is the only limit of a copy. */
const noTryLimits = routeLimits(0, undefined, false);

/**
 * A copy of a request, sent to another cluster for its effect there. Its answer
 * is read and forgotten, its failure nobody's business, and it never holds up
 * the request it is a copy of: where its connection does not take the body as
 * fast, it is given up.
 *
 * @see envoy.config.route.v3.RouteAction.RequestMirrorPolicy
 */
class RequestMirror implements AttemptOwner, TimerOwner {
  readonly isInternal = true;
  readonly context: LayerContext;
  readonly cluster: Cluster;
  readonly breakers: Breakers;
  readonly head: RequestHead;
  readonly body: RequestBody;
  readonly limits: CallLimits = noTryLimits;
  readonly proxies100 = false;
  readonly connectionHeaders = undefined;
  readonly #timeoutMs: number;
  #attempt: UpstreamAttempt | undefined = undefined;
  #timer: TimerEntry | undefined = undefined;
  #isOver = false;

  constructor(
    exchange: HttpExchange,
    head: RequestHead,
    cluster: Cluster,
    timeoutMs: number,
    pools: PoolContext,
  ) {
    const { context, bufferLimitBytes } = exchange.service;
    this.context = context;
    this.cluster = cluster;
    this.breakers = cluster.breakers("default");
    this.head = head;
    this.body = new RequestBody(bufferLimitBytes, false);
    this.#timeoutMs = timeoutMs;
    if (exchange.isRequestDone && !exchange.holdsBody) this.body.end();
    this.#begin(exchange, pools);
    if (this.body.isComplete) this.#startTimer();
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    if (this.#isOver) return;
    const attempt = this.#attempt!;
    const isSent = attempt.isConnected;
    this.body.add(chunk, end, isSent);
    if (isSent) {
      if (!attempt.isWritable) {
        this.cancel();
        return;
      }
      attempt.sendData(chunk, end);
    } else if (this.body.isFull) {
      this.cancel();
      return;
    }
    if (end) this.#startTimer();
  }

  onRequestTrailers(trailers: HeaderList): void {
    if (this.#isOver) return;
    this.body.endWith(trailers);
    this.#attempt!.sendTrailers(trailers);
    this.#startTimer();
  }

  /** The request will not become complete, or the copy is given up. */
  cancel(): void {
    if (this.#isOver) return;
    this.#conclude();
    this.#attempt?.abandon();
  }

  onAttemptSent(): void {}
  onAttemptWritable(): void {}
  onAttemptInformational(): void {}

  onAttemptFailed(attempt: UpstreamAttempt): void {
    attempt.settle(this.context.clock.monotonicMs());
    this.#conclude();
  }

  onAttemptTimeout(): void {
    this.cancel();
  }

  onAttemptHead(attempt: UpstreamAttempt, head: ResponseHead, end: boolean, nowMs: number): void {
    this.cluster.stats.answers.countInternal(head.status);
    if (!end) return;
    attempt.settle(nowMs);
    this.#conclude();
  }

  onAttemptData(_attempt: UpstreamAttempt, _chunk: Buffer, end: boolean): void {
    if (end) this.#conclude();
  }

  onAttemptTrailers(): void {
    this.#conclude();
  }

  /** The copy took too long. */
  onTimer(): void {
    this.#attempt?.expire();
    this.#conclude();
  }

  #begin(exchange: HttpExchange, pools: PoolContext): void {
    const { cluster, context } = this;
    const endpoint = cluster.pick({
      subset: undefined,
      hash: requestHash(cluster.plan.balancer, undefined, exchange),
      originalDestination: exchange.connection.local,
      avoid: undefined,
    });
    if (!endpoint || !this.breakers.requests.tryAcquire()) {
      this.#conclude();
      return;
    }
    this.#attempt = new UpstreamAttempt(this, endpoint, context.clock.monotonicMs());
    this.#attempt.begin(poolOf(endpoint, cluster, exchange.protocol, pools, exchange.connection), false);
  }

  #startTimer(): void {
    if (this.#timeoutMs === 0 || this.#isOver) return;
    this.#timer = new TimerEntry(this, 0);
    const { clock, timers } = this.context;
    timers.start(this.#timer, this.#timeoutMs, clock.monotonicMs());
  }

  #conclude(): void {
    this.#isOver = true;
    this.#timer?.stop();
  }
}

/** The copies of one request. */
export class MirrorGroup {
  readonly #mirrors: RequestMirror[] = [];

  add(mirror: RequestMirror): void {
    this.#mirrors.push(mirror);
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    for (const mirror of this.#mirrors) mirror.onRequestData(chunk, end);
  }

  onRequestTrailers(trailers: HeaderList): void {
    for (const mirror of this.#mirrors) mirror.onRequestTrailers(trailers);
  }

  /** The request will not become complete. */
  cancel(): void {
    for (const mirror of this.#mirrors) mirror.cancel();
  }
}

/**
 * Sends the copies that the route asks for of a request whose head is ready;
 * undefined when there are none.
 */
export function startMirrors(
  plans: readonly MirrorPlan[],
  exchange: HttpExchange,
  { clusters, pools }: CallTarget,
  timeoutMs: number,
): MirrorGroup | undefined {
  const request = exchange.request!;
  const { random } = exchange.service.context;
  let group: MirrorGroup | undefined;
  for (const plan of plans) {
    if (plan.fraction < 1 && random() >= plan.fraction) continue;
    const name = plan.clusterOf(request);
    const cluster = name === undefined ? undefined : clusters.get(name);
    if (!cluster) continue;
    const head = copyHead(request, plan, exchange, timeoutMs);
    group ??= new MirrorGroup();
    group.add(new RequestMirror(exchange, head, cluster, timeoutMs, pools));
  }
  return group;
}

function copyHead(
  request: RequestHead,
  plan: MirrorPlan,
  exchange: HttpExchange,
  timeoutMs: number,
): RequestHead {
  const headers = request.headers.copy();
  const authority = plan.authority ?? (plan.marksHost ? markHost(request.authority) : request.authority);
  const head = { ...request, headers, authority };
  plan.mutate?.(headers, exchange);
  if (plan.isTraceSampled === false) exchange.plan.tracing?.propagation.removeSampling(headers);
  headers.set("x-envoy-internal", "true");
  if (timeoutMs > 0 && headers.has("x-envoy-expected-rq-timeout-ms")) {
    headers.set("x-envoy-expected-rq-timeout-ms", `${timeoutMs}`);
  }
  const forwardedFor = headers.getAll("x-forwarded-for");
  const own = machineAddress();
  headers.set("x-forwarded-for", forwardedFor === undefined ? own : `${forwardedFor},${own}`);
  return head;
}

/** `a:80` as `a-shadow:80`. */
function markHost(authority: string): string {
  const colon = authority.lastIndexOf(":");
  if (colon < 0 || authority.indexOf("]", colon) >= 0) return `${authority}-shadow`;
  return `${authority.slice(0, colon)}-shadow${authority.slice(colon)}`;
}
