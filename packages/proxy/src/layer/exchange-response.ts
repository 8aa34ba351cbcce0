import { tellOver } from "../observe/observation.ts";
import { traceResponse } from "../tracing/begin-trace.ts";
import type { BodyStage } from "./body-stage.ts";
import type { DownstreamConnection } from "./downstream-connection.ts";
import type { Exchange } from "./exchange.ts";
import { ExchangeRecord } from "./exchange-record.ts";
import type { FilterLists } from "./filter-chain.ts";
import type { FilterExchange } from "./filter-exchange.ts";
import type { HeaderList } from "./header-list.ts";
import type { HttpService } from "./http-service.ts";
import type { RequestHead, ResponseHead } from "./message.ts";
import { completeHead, countResponse } from "./response-completion.ts";
import { type OutletOwner, ResponseOutlet } from "./response-outlet.ts";
import type { ServerStream } from "./stream.ts";

/**
 * The way back of an exchange: a response through the filters, in reverse, to
 * the client. Its head leaves once every filter has let it pass; until then its
 * body is held.
 */
export abstract class ExchangeResponse extends ExchangeRecord implements OutletOwner {
  protected readonly stream: ServerStream;
  protected filters: FilterLists;
  /** The head has left: another answer is no longer possible. */
  protected isHeadSent = false;
  /** Response data goes through it while there is one. */
  protected outlet: ResponseOutlet | undefined = undefined;
  #isOver = false;
  #nextFilter = 0;
  #isEmpty = false;
  #isResumed = false;
  #isStopped = false;
  #pauses = 0;

  constructor(
    service: HttpService,
    connection: DownstreamConnection,
    stream: ServerStream,
    request: RequestHead | undefined,
    protocol: Exchange["protocol"],
    headBytes: number,
  ) {
    super(service, connection, request, protocol, headBytes);
    this.stream = stream;
    this.filters = service.filters.for(undefined);
  }

  /** Counts the exchange, which is over, and tells filters, access logs and its trace. */
  protected tellEnd(): void {
    const { stats, answers, context } = this.service;
    const exchange = this.asFilterExchange();
    // A redirect that is followed here answers nobody.
    const status = this.isHeadSent ? this.response!.status : 0;
    if (status > 0) {
      countResponse(stats.answers, status);
      countResponse(answers, status);
      if (status === 413 && this.details === "request_payload_too_large") stats.rqTooLarge.value += 1;
      stats.rqTimeMs.observe(this.endMs - this.startMs);
    }
    try {
      if (this.request) for (const filter of this.filters.complete) filter.onComplete!(exchange);
      for (const log of this.plan.accessLogs) log.log(exchange);
      this.trace?.finish(exchange);
      tellOver(context.observation, exchange);
    } catch (error) {
      context.onFault(error);
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get hasResponded(): boolean {
    return this.response !== undefined;
  }

  get isResponseWritable(): boolean {
    return this.stream.isWritable && this.#pauses === 0 && this.outlet?.isFull !== true;
  }

  get isClientWritable(): boolean {
    return this.stream.isWritable;
  }

  sendInformational(head: ResponseHead): void {
    if (!this.#isOver && !this.response) this.stream.respondInformational(head);
  }

  /** Begins the upstream's response. */
  sendResponse(head: ResponseHead, end: boolean): void {
    if (this.#isOver) return;
    this.details = "via_upstream";
    this.startResponse(head, end);
  }

  sendData(chunk: Buffer, end: boolean): void {
    if (this.#isOver) return;
    if (this.outlet) {
      if (!end) this.touch();
      this.outlet.onData(chunk, end);
    } else this.onData(chunk, end);
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.#isOver) return;
    if (this.outlet) this.outlet.onTrailers(trailers);
    else this.onTrailers(trailers);
  }

  /** Response data for the client, whatever the filters did to it. */
  onData(chunk: Buffer, end: boolean): void {
    this.bytesSent += chunk.length;
    if (end) this.finish();
    else this.touch();
    this.stream.respondData(chunk, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.responseTrailers = trailers;
    this.finish();
    this.stream.respondTrailers(trailers);
  }

  resumeResponse(): void {
    if (this.#isOver || this.isHeadSent) return;
    if (this.#isStopped) this.#runFilters();
    else this.#isResumed = true;
  }

  addResponseStage(stage: BodyStage): void {
    if (this.#isEmpty) return;
    this.#outletOf().addStage(stage);
  }

  pauseResponseBody(): void {
    this.#pauses += 1;
  }

  resumeResponseBody(): void {
    this.#pauses -= 1;
    if (this.isResponseWritable) this.tellWritable();
  }

  protected startResponse(head: ResponseHead, end: boolean): void {
    this.response = head;
    this.#isEmpty = end;
    this.responseStartMs = this.service.context.clock.monotonicMs();
    this.service.context.observation.watcher?.onAnswered(this);
    this.#runFilters();
  }

  /** An answer from here in place of one the filters were busy with; they do not see it. */
  protected replaceResponse(head: ResponseHead, end: boolean): void {
    this.outlet?.cancel();
    this.outlet = undefined;
    this.response = head;
    this.#isEmpty = end;
    this.#sendHead(head, end);
  }

  /** The exchange ends, once. False when it had ended before. */
  protected endResponse(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.outlet?.cancel();
    return true;
  }

  #runFilters(): void {
    const filters = this.filters.response;
    const head = this.response!;
    this.#isStopped = false;
    while (this.#nextFilter < filters.length) {
      const filter = filters[this.#nextFilter++]!;
      this.#isResumed = false;
      const status = filter.onResponse!(this.asFilterExchange(), this.#isEmpty);
      if (this.isHeadSent || this.#isOver) return;
      if (status === "stop" && !this.#isResumed) {
        this.#isStopped = true;
        if (!this.#isEmpty) this.#outletOf();
        return;
      }
    }
    this.#sendHead(head, this.#isEmpty);
    if (this.outlet) {
      this.outlet.open();
      if (this.isResponseWritable) this.tellWritable();
    }
  }

  #sendHead(head: ResponseHead, end: boolean): void {
    this.isHeadSent = true;
    const { tracing } = this.plan;
    if (tracing) traceResponse(this, tracing, head);
    completeHead(head, this.plan, this.service.context.clock.now());
    if (this.plan.tellsRequestId && this.requestId !== "") head.headers.set("x-request-id", this.requestId);
    if (end) this.finish();
    this.stream.respondHead(head, end);
  }

  #outletOf(): ResponseOutlet {
    this.outlet ??= new ResponseOutlet(this, this.service.bufferLimitBytes);
    return this.outlet;
  }

  /** Something moved: the idle timeout starts anew. */
  abstract touch(): void;
  protected abstract asFilterExchange(): FilterExchange;
  /** The client takes more of the response. */
  protected abstract tellWritable(): void;
  /** The response is complete; its last part is written after this. */
  protected abstract finish(): void;
}
