import type { HeadError } from "../http1/head.ts";
import { Http1ServerCodec, type ServerCodecEvents } from "../http1/server-codec.ts";
import { PrefaceSniffer } from "../http2/preface-sniffer.ts";
import { Http2ServerCodec, type Http2ServerCodecEvents } from "../http2/server-codec.ts";
import type { Connection } from "../net/connection.ts";
import type { CloseCause, ConnectionHandler } from "../net/connection-handler.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";
import type { DownstreamConnection } from "./downstream-connection.ts";
import type { ExchangeOwner, KeptBody } from "./exchange-owner.ts";
import { HttpExchange } from "./http-exchange.ts";
import type { HttpService } from "./http-service.ts";
import type { RequestHead } from "./message.ts";
import type { ServerStream } from "./stream.ts";

export interface HttpConnectionOwner {
  onHttpConnectionClosed(connection: HttpConnection): void;
}

/** What a connection asks of its codec, whichever version of HTTP it speaks. */
interface ServerCodec extends ConnectionHandler {
  readonly isDraining: boolean;
  readonly isIdle: boolean;
  readonly isDrained: boolean;
  drain(): void;
  endDrain(): void;
  close(): void;
  refuseHead(error: HeadError): void;
}

interface RequestInfo {
  readonly headBytes: number;
  readonly protocol: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2";
}

const idleTimer = 0;
const headersTimer = 1;
const ageTimer = 2;
const drainTimer = 3;

/**
 * An accepted connection that speaks HTTP: codec below, exchanges above.
 *
 * The service may be replaced while the connection lives: a request begun under
 * one plan ends under it, the next one finds the new plan in force.
 */
export class HttpConnection implements ServerCodecEvents, Http2ServerCodecEvents, ExchangeOwner, TimerOwner {
  readonly downstream: DownstreamConnection;
  service: HttpService;
  readonly #connection: Connection;
  #codec: ServerCodec;
  readonly #owner: HttpConnectionOwner;
  readonly #idleTimer = new TimerEntry(this, idleTimer);
  readonly #headersTimer = new TimerEntry(this, headersTimer);
  readonly #ageTimer = new TimerEntry(this, ageTimer);
  readonly #drainTimer = new TimerEntry(this, drainTimer);
  #isHttp2 = false;
  /** Not before its first bytes have said so. */
  #isHttp1 = false;
  #requests = 0;
  #active = 0;
  #readBefore = 0;
  #writtenBefore = 0;

  constructor(
    connection: Connection,
    downstream: DownstreamConnection,
    service: HttpService,
    owner: HttpConnectionOwner,
  ) {
    const { plan, stats, context } = service;
    this.#connection = connection;
    connection.lingerMs = plan.delayedCloseMs;
    this.downstream = downstream;
    this.service = service;
    this.#owner = owner;
    const isHttp2 = plan.codec === "http2" || (plan.codec === "auto" && downstream.alpn === "h2");
    this.#codec = isHttp2 ? this.#createHttp2() : this.#createHttp1();
    stats.cxTotal.value += 1;
    stats.cxActive.value += 1;
    if (downstream.isTls) {
      stats.cxSslTotal.value += 1;
      stats.cxSslActive.value += 1;
    }
    const nowMs = context.clock.monotonicMs();
    context.timers.start(this.#idleTimer, plan.idleTimeoutMs, nowMs);
    context.timers.start(this.#ageTimer, plan.maxConnectionDurationMs, nowMs);
  }

  /** Begins to serve; `initial` is what was read while the connection was inspected. */
  start(initial: Buffer | undefined): void {
    const { codec } = this.service.plan;
    const isOpen = codec === "auto" && this.downstream.alpn === "";
    if (!isOpen && !this.#isHttp2) this.#countHttp1();
    this.#connection.start(isOpen ? this.#sniffer() : this.#codec, initial);
  }

  /** HTTP/1 is assumed until the client's first bytes are the preface of HTTP/2. */
  #sniffer(): ConnectionHandler {
    return new PrefaceSniffer(this.#codec, (isHttp2) => {
      if (isHttp2) {
        const { isDraining } = this.#codec;
        this.#codec = this.#createHttp2();
        if (isDraining) this.#codec.drain();
      } else this.#countHttp1();
      this.#connection.handler = this.#codec;
      return this.#codec;
    });
  }

  #countHttp1(): void {
    const { stats } = this.service;
    this.#isHttp1 = true;
    stats.cxHttp1Total.value += 1;
    stats.cxHttp1Active.value += 1;
  }

  #createHttp1(): Http1ServerCodec {
    const { plan } = this.service;
    return new Http1ServerCodec(
      this.#connection,
      {
        limits: { maxBytes: plan.maxRequestHeadersBytes, maxCount: plan.maxHeadersCount },
        isTls: this.downstream.isTls,
        acceptHttp10: plan.acceptHttp10,
        defaultHttp10Host: plan.defaultHttp10Host,
        underscores: plan.underscores,
        proxies100: plan.proxies100,
        properCaseHeaders: plan.properCaseHeaders,
        allowsAbsoluteTargets: plan.allowsAbsoluteTargets ?? true,
        keepsTrailers: plan.keepsTrailers,
      },
      this,
    );
  }

  #createHttp2(): Http2ServerCodec {
    const { plan, stats, context } = this.service;
    this.#isHttp2 = true;
    stats.cxHttp2Total.value += 1;
    stats.cxHttp2Active.value += 1;
    return new Http2ServerCodec(
      this.#connection,
      {
        plan: plan.http2,
        limits: { maxBytes: plan.maxRequestHeadersBytes, maxCount: plan.maxHeadersCount },
        isTls: this.downstream.isTls,
        timers: context.timers,
        underscores: plan.underscores,
        proxies100: plan.proxies100,
        flushTimeoutMs: plan.streamFlushTimeoutMs,
      },
      this,
    );
  }

  /**
   * Asks the client to leave: HTTP/1 closes with the next answer; HTTP/2 says
   * GOAWAY, serves what was sent before the client heard of it, and closes when
   * that is answered. A client that does not say that it heard has the
   * `drain_timeout`. Nothing in progress is cut off.
   */
  drain(): void {
    if (this.#codec.isDraining) return;
    this.#codec.drain();
    this.service.stats.cxDrainClose.value += 1;
    const { clock, timers } = this.service.context;
    timers.start(this.#drainTimer, this.service.plan.drainTimeoutMs, clock.monotonicMs());
  }

  onAnswer(): void {
    const { drain } = this.service.context;
    if (drain.isActive && !this.#codec.isDraining && drain.endsConnection()) this.drain();
  }

  get isDraining(): boolean {
    return this.#codec.isDraining;
  }

  destroy(): void {
    this.#connection.destroy();
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean, info: RequestInfo): void {
    const { service } = this;
    const { plan, stats } = service;
    this.#idleTimer.stop();
    this.#headersTimer.stop();
    this.#requests += 1;
    this.#active += 1;
    if (this.#isHttp2) stats.rqHttp2Total.value += 1;
    else stats.rqHttp1Total.value += 1;
    if (plan.maxRequestsPerConnection > 0 && this.#requests >= plan.maxRequestsPerConnection) {
      if (!this.#codec.isDraining) stats.cxMaxRequestsReached.value += 1;
      this.#codec.drain();
    }
    const exchange = new HttpExchange(
      service,
      this,
      this.downstream,
      stream,
      head,
      info.protocol,
      info.headBytes,
    );
    const { overload } = service.context;
    if (overload.isStressed) this.#relieve();
    if (overload.refusesRequest()) exchange.shed(end);
    else exchange.begin(end);
  }

  /** Under pressure a connection, with what it holds, ends after its answer. */
  #relieve(): void {
    const { context, stats } = this.service;
    if (this.#codec.isDraining || !context.overload.endsConnection()) return;
    stats.cxOverloadDisableKeepalive.value += 1;
    this.drain();
  }

  onBadRequest(stream: ServerStream, error: HeadError): void {
    this.#idleTimer.stop();
    this.#headersTimer.stop();
    this.#active += 1;
    const protocol = this.#isHttp2 ? "HTTP/2" : "HTTP/1.1";
    const exchange = new HttpExchange(this.service, this, this.downstream, stream, undefined, protocol, 0);
    exchange.refuse(error.status, error.details);
  }

  onHeadStarted(): void {
    const { context, plan } = this.service;
    context.timers.start(this.#headersTimer, plan.requestHeadersTimeoutMs, context.clock.monotonicMs());
  }

  onIdle(): void {
    if (this.#codec.isDrained) {
      this.#codec.close();
      return;
    }
    const { context, plan } = this.service;
    context.timers.start(this.#idleTimer, plan.idleTimeoutMs, context.clock.monotonicMs());
  }

  onProtocolError(_details: string): void {
    this.service.stats.cxProtocolError.value += 1;
  }

  onExchangeOver(_exchange: HttpExchange): void {
    this.#active -= 1;
    this.#countBytes();
  }

  onRedirected(before: HttpExchange, stream: ServerStream, body: KeptBody): void {
    const { service, request, protocol } = before;
    this.#active += 1;
    if (this.#isHttp2) service.stats.rqHttp2Total.value += 1;
    else service.stats.rqHttp1Total.value += 1;
    const next = new HttpExchange(service, this, this.downstream, stream, request, protocol, 0);
    next.beginAgain(before, body);
  }

  onConnectionClosed(cause: CloseCause, isActive: boolean): void {
    const { stats, context } = this.service;
    const isLocal = cause.kind === "local";
    this.#idleTimer.stop();
    this.#headersTimer.stop();
    this.#ageTimer.stop();
    this.#drainTimer.stop();
    this.#countBytes();
    stats.cxActive.value -= 1;
    if (this.#isHttp2) stats.cxHttp2Active.value -= 1;
    if (this.#isHttp1) stats.cxHttp1Active.value -= 1;
    if (this.downstream.isTls) stats.cxSslActive.value -= 1;
    stats.cxLengthMs.observe(context.clock.monotonicMs() - this.downstream.startMs);
    stats.cxDestroy.value += 1;
    if (isLocal) stats.cxDestroyLocal.value += 1;
    else stats.cxDestroyRemote.value += 1;
    if (isActive) {
      stats.cxDestroyActive.value += 1;
      if (isLocal) stats.cxDestroyLocalActive.value += 1;
      else stats.cxDestroyRemoteActive.value += 1;
    }
    this.#owner.onHttpConnectionClosed(this);
  }

  onTimer(kind: number): void {
    const { stats } = this.service;
    switch (kind) {
      case idleTimer:
        stats.cxIdleTimeout.value += 1;
        this.#codec.close();
        break;
      case headersTimer:
        stats.rqHeaderTimeout.value += 1;
        this.#codec.refuseHead({ status: 408, details: "request_header_timeout" });
        break;
      case ageTimer:
        stats.cxMaxDurationReached.value += 1;
        if (this.service.plan.keepsIdleAtMaxDuration && !this.#isHttp2) this.#codec.drain();
        else this.#endByAge();
        break;
      default:
        this.#codec.endDrain();
    }
  }

  #endByAge(): void {
    this.drain();
    if (this.#codec.isIdle) this.#codec.close();
  }

  #countBytes(): void {
    const { stats } = this.service;
    const { bytesRead, bytesWritten } = this.#connection;
    stats.cxRxBytes.value += bytesRead - this.#readBefore;
    stats.cxTxBytes.value += bytesWritten - this.#writtenBefore;
    this.#readBefore = bytesRead;
    this.#writtenBefore = bytesWritten;
  }
}
