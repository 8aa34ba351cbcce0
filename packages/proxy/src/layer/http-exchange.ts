import { STATUS_CODES } from "node:http";
import { beginTrace } from "../tracing/begin-trace.ts";
import type { BodyStage } from "./body-stage.ts";
import type { DownstreamConnection } from "./downstream-connection.ts";
import type { Exchange } from "./exchange.ts";
import type { ExchangeOwner, KeptBody } from "./exchange-owner.ts";
import { ExchangeResponse } from "./exchange-response.ts";
import { ExchangeTimers, type TimedExchange } from "./exchange-timers.ts";
import type { FilterExchange } from "./filter-exchange.ts";
import type { UpstreamCall } from "./forwarder.ts";
import type { HeaderList } from "./header-list.ts";
import type { HttpService } from "./http-service.ts";
import { makeLocalReply } from "./make-local-reply.ts";
import type { RequestHead, ResponseHead } from "./message.ts";
import { Holder, RequestHold } from "./request-hold.ts";
import { RequestIntake } from "./request-intake.ts";
import { prepareRequest } from "./request-preparation.ts";
import { ResponseFlag } from "./response-flag.ts";
import type { RequestReceiver, ResetReason, ServerStream } from "./stream.ts";

const nothing = Buffer.alloc(0);
/** Where a refusal says something else than its status. */
const refusalBodies: Readonly<Record<string, string>> = {
  request_header_timeout: "request header timeout",
};

/**
 * One request on its way through the filters to the router, and its response on
 * the way back.
 *
 * Whatever happens, and in whichever order, it ends exactly once: timers stop,
 * the upstream half is cancelled, filters and access logs see the final record.
 */
export class HttpExchange extends ExchangeResponse implements FilterExchange, RequestReceiver, TimedExchange {
  readonly #owner: ExchangeOwner;
  #upstream: UpstreamCall | undefined = undefined;
  #nextFilter = 0;
  #isForwarding = false;
  #isRequestDone = false;
  #isRunning = false;
  #isResumed = false;
  /** Request data goes through it while there is one. */
  #intake: RequestIntake | undefined = undefined;
  #requestPauses = 0;
  readonly #hold: RequestHold;
  readonly #timers: ExchangeTimers;

  constructor(
    service: HttpService,
    owner: ExchangeOwner,
    connection: DownstreamConnection,
    stream: ServerStream,
    request: RequestHead | undefined,
    protocol: Exchange["protocol"],
    headBytes: number,
  ) {
    super(service, connection, stream, request, protocol, headBytes);
    this.#owner = owner;
    this.#hold = new RequestHold(stream);
    this.#timers = new ExchangeTimers(service.context.timers, this);
    service.stats.rqTotal.value += 1;
    service.stats.rqActive.value += 1;
  }

  get isRequestDone(): boolean {
    return this.#isRequestDone;
  }

  /** Whether body or trailers that came during the filters are still to be handed on. */
  get holdsBody(): boolean {
    return this.#intake?.hasMore === true;
  }

  get hasRequestBody(): boolean {
    return !this.#isRequestDone || this.holdsBody;
  }

  get isServerWritable(): boolean {
    return !this.#hold.isHeldBy(Holder.Upstream | Holder.Filters);
  }

  /** Takes the request through preparation, routing and the filters. */
  begin(end: boolean): void {
    const { plan } = this;
    const request = this.request!;
    this.stream.receiver = this;
    if (end) this.#completeRequest(this.startMs);
    else this.#timers.startRequest(plan.requestTimeoutMs, this.startMs);
    const prepared = prepareRequest(request, this.connection, plan);
    this.requestId = prepared.requestId;
    this.clientAddress = prepared.clientAddress;
    if (prepared.refusal) {
      const { status, details, stat, location } = prepared.refusal;
      if (stat) this.service.stats[stat].value += 1;
      const fields = location === undefined ? undefined : ["location", location];
      this.replyWith(status, nothing, details, 0, fields);
      return;
    }
    this.#route();
  }

  /** Begins with a request that another exchange was redirected to: whose it is was found out there. */
  beginAgain(before: HttpExchange, body: KeptBody): void {
    this.stream.receiver = this;
    this.requestId = before.requestId;
    this.clientAddress = before.clientAddress;
    this.redirects = before.redirects;
    this.bytesReceived = before.bytesReceived;
    const isEmpty = body.chunks.length === 0 && !body.trailers;
    if (isEmpty) this.#completeRequest(this.startMs);
    this.#route();
    const last = body.trailers ? undefined : body.chunks.at(-1);
    for (const chunk of body.chunks) this.onRequestData(chunk, chunk === last);
    if (body.trailers) this.onRequestTrailers(body.trailers);
  }

  #route(): void {
    const { plan, service } = this;
    this.#timers.startIdle(plan.streamIdleTimeoutMs, this.startMs);
    this.#timers.limitDuration(plan.maxStreamDurationMs, this.startMs);
    this.refreshRoute();
    if (plan.tracing) beginTrace(this, plan.tracing, service.context.random);
    const configs = this.match?.route.filterConfigs;
    if (configs) this.filters = service.filters.for(configs);
    this.#runFilters();
  }

  /** Answers that there is too much to do, before anything is done. */
  shed(end: boolean): void {
    this.stream.receiver = this;
    if (end) this.#completeRequest(this.startMs);
    this.service.stats.rqOverloadClose.value += 1;
    this.reply(503, "envoy overloaded", "overload");
  }

  /** Answers a request whose head or body could not be parsed. */
  refuse(status: number, details: string): void {
    this.#isRequestDone = true;
    this.stream.receiver = this;
    this.service.stats.cxProtocolError.value += 1;
    const body = refusalBodies[details] ?? STATUS_CODES[status] ?? "";
    this.replyWith(status, Buffer.from(body), details, ResponseFlag.DownstreamProtocolError, undefined);
  }

  reply(status: number, body: string, details: string, flags = 0, grpcStatus?: number): void {
    this.replyWith(status, body === "" ? nothing : Buffer.from(body), details, flags, undefined, grpcStatus);
  }

  /** Answers from here; once a response has begun, breaks it off instead. */
  replyWith(
    status: number,
    body: Buffer,
    details: string,
    flags: number,
    fields: readonly string[] | undefined,
    grpcStatus?: number,
  ): void {
    if (this.isOver) return;
    this.flags |= flags;
    if (this.isHeadSent) {
      this.breakOff(0, details);
      return;
    }
    this.#dropUpstream();
    this.isLocalReply = true;
    this.details = details;
    const local = makeLocalReply(this, status, body, fields, grpcStatus);
    // The rest of the request is not waited for, and what was bad once is not trusted again.
    if (!this.#isRequestDone || status === 400) local.head.headers.set("connection", "close");
    const end = local.body.length === 0;
    if (this.response) this.replaceResponse(local.head, end);
    else this.startResponse(local.head, end);
    if (end || this.isOver) return;
    if (this.outlet) this.outlet.onData(local.body, true);
    else this.onData(local.body, true);
  }

  resume(): void {
    if (this.isOver || this.#isForwarding) return;
    if (this.#isRunning) {
      this.#isResumed = true;
      return;
    }
    this.#runFilters();
  }

  bufferRequest(maxBytes: number, onBody: (body: readonly Buffer[], isComplete: boolean) => void): void {
    this.#unhold(Holder.Filters);
    if (this.hasRequestBody) this.#intakeOf().await(maxBytes, onBody);
    else onBody([], true);
  }

  addRequestStage(stage: BodyStage): void {
    if (this.hasRequestBody) this.#intakeOf().addStage(stage);
  }

  pauseRequestBody(): void {
    this.#requestPauses += 1;
    this.#hold.hold(Holder.Stages);
  }

  resumeRequestBody(): void {
    this.#requestPauses -= 1;
    if (this.#requestPauses === 0) this.#unhold(Holder.Stages);
  }

  refreshRoute(): void {
    const { context } = this.service;
    this.match = this.plan.routes.current?.match(this.request!, context.random(), this);
    const action = this.match?.route.action;
    if (action?.kind !== "forward") return;
    context.forwarder.choose(this, action);
    if (action.idleTimeoutMs !== undefined)
      this.#timers.startIdle(action.idleTimeoutMs, context.clock.monotonicMs());
  }

  adoptRoute(filterName: string): void {
    this.refreshRoute();
    const { filters } = this.service;
    this.filters = filters.for(this.match?.route.filterConfigs);
    this.#nextFilter = filters.countThrough(filterName, this.filters);
  }

  /** Ends here, and begins anew with the request that `answer` redirects to: the head is that one by now. */
  redirect(answer: ResponseHead, body: KeptBody): void {
    if (this.isOver) return;
    this.response = answer;
    this.details = "internal_redirect";
    this.#upstream = undefined;
    this.finish();
    this.#owner.onRedirected(this, this.stream, body);
  }

  /** Ends a response that has begun and cannot be completed. */
  breakOff(flags: number, details: string): void {
    if (this.isOver) return;
    this.flags |= flags;
    this.details = details;
    this.service.stats.rqTxReset.value += 1;
    this.stream.reset("local-reset");
    this.finish();
  }

  pauseRequest(): void {
    this.#hold.hold(Holder.Upstream);
  }

  resumeRequest(): void {
    this.#unhold(Holder.Upstream);
    this.#intake?.onWritable();
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    if (this.isOver) return;
    this.bytesReceived += chunk.length;
    if (end) this.#completeRequest(this.service.context.clock.monotonicMs());
    else this.touch();
    if (this.#upstream && !this.#intake) this.#upstream.onRequestData(chunk, end);
    else this.#intakeOf().onData(chunk, end);
  }

  onRequestTrailers(trailers: HeaderList): void {
    if (this.isOver) return;
    this.#completeRequest(this.service.context.clock.monotonicMs());
    if (this.#upstream && !this.#intake) this.#upstream.onRequestTrailers(trailers);
    else this.#intakeOf().onTrailers(trailers);
  }

  onRequestReset(reason: ResetReason): void {
    if (this.isOver) return;
    if (reason === "protocol-error") {
      this.service.stats.cxProtocolError.value += 1;
      const flag = ResponseFlag.DownstreamProtocolError;
      this.replyWith(400, Buffer.from("Bad Request"), "http1.codec_error", flag, undefined);
      return;
    }
    this.flags |= ResponseFlag.DownstreamConnectionTermination;
    this.details = "downstream_remote_disconnect";
    this.service.stats.rqRxReset.value += 1;
    this.finish();
  }

  onResponseWritable(): void {
    this.outlet?.onWritable();
    if (this.isResponseWritable) this.#upstream?.onResponseWritable();
  }

  /** Request data is held up to its limit: the client waits. */
  onIntakeFull(): void {
    this.#hold.hold(Holder.Filters);
  }

  /** Limits the whole exchange, from its beginning; 0 lifts the limit. */
  limitDuration(durationMs: number): void {
    this.#timers.limitDuration(durationMs, this.startMs);
  }

  /** Something moved: the idle timeout starts anew. */
  touch(): void {
    this.#timers.touch();
  }

  #runFilters(): void {
    const filters = this.filters.request;
    this.#isRunning = true;
    while (this.#nextFilter < filters.length) {
      const filter = filters[this.#nextFilter++]!;
      this.#isResumed = false;
      const status = filter.onRequest!(this);
      if (this.isOver) return;
      if (status === "stop" && !this.#isResumed) {
        this.#isRunning = false;
        return;
      }
    }
    this.#isRunning = false;
    this.#forward();
  }

  #forward(): void {
    const { router, context } = this.service;
    this.#isForwarding = true;
    if (!router) {
      this.reply(404, "", "no_router", ResponseFlag.NoRouteFound);
      return;
    }
    const call = context.forwarder.forward(this, router);
    if (!call || this.isOver) {
      call?.cancel();
      return;
    }
    this.#upstream = call;
    context.observation.watcher?.onForwarded(this);
    this.#deliverHeld(call);
  }

  #deliverHeld(call: UpstreamCall): void {
    const intake = this.#intake;
    if (intake) {
      if (!intake.hasStages) this.#intake = undefined;
      intake.open(call);
    }
    this.#unhold(Holder.Filters);
    this.#intake?.onWritable();
  }

  #intakeOf(): RequestIntake {
    this.#intake ??= new RequestIntake(this, this.service.bufferLimitBytes);
    return this.#intake;
  }

  #unhold(who: number): void {
    if (this.#hold.release(who) && !this.isOver) this.stream.resumeRequest();
  }

  #completeRequest(nowMs: number): void {
    this.#isRequestDone = true;
    this.requestCompleteMs = nowMs;
    this.#timers.stopRequest();
  }

  protected asFilterExchange(): this {
    return this;
  }

  protected tellWritable(): void {
    this.#upstream?.onResponseWritable();
  }

  protected override startResponse(head: ResponseHead, end: boolean): void {
    const isTunnel = head.status === 101 || (this.request?.upgrade === "connect" && head.status < 300);
    if (isTunnel) this.#timers.stopRequest();
    super.startResponse(head, end);
  }

  #dropUpstream(): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.cancel();
  }

  /** Comes before the last write, with which the connection may go on to the next request. */
  protected finish(): void {
    if (!this.endResponse()) return;
    const { service } = this;
    const { stats, context } = service;
    this.endMs = context.clock.monotonicMs();
    this.#timers.stop();
    this.#intake?.cancel();
    this.#dropUpstream();
    stats.rqActive.value -= 1;
    if (this.isUpgrade) stats.cxUpgradesActive.value -= 1;
    this.tellEnd();
    this.#owner.onExchangeOver(this);
  }
}
