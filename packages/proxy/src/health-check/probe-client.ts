import { type ClientCodecEvents, Http1ClientCodec } from "../http1/client-codec.ts";
import { Http2ClientCodec, type Http2ClientCodecEvents } from "../http2/client-codec.ts";
import { defaultHttp2Plan } from "../http2/http2-plan.ts";
import type { RequestHead } from "../layer/message.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import type { ClientStream, ResponseReceiver } from "../layer/stream.ts";
import type { Connecting } from "../net/connect.ts";
import { connectInTurn } from "../net/connect-in-turn.ts";
import { Connection } from "../net/connection.ts";
import type { ProbeTarget } from "./health-check-plan.ts";

/** No health check has heads as large as other responses may have. */
const limits = { maxBytes: 60 * 1024, maxCount: 100 };
const codecOptions = { limits, keepsTrailers: false, properCaseHeaders: false };
const bufferLimitBytes = 64 * 1024;
const flushTimeoutMs = 1_000;
/** Offered by ALPN where the configuration names nothing; a check by HTTP/1.1 needs no agreement. */
const http2Names = ["h2"];

/**
 * Sends health checks to one endpoint, one at a time, over a connection of its
 * own that is made when there is none. Neither the pools nor the statistics of
 * the cluster see it.
 */
export class ProbeClient implements ClientCodecEvents, Http2ClientCodecEvents {
  readonly #protocol: "http1" | "http2";
  readonly #target: ProbeTarget;
  readonly #context: PoolContext;
  #connecting: Connecting | undefined;
  #codec: Http1ClientCodec | Http2ClientCodec | undefined;
  #stream: ClientStream | undefined;

  constructor(protocol: "http1" | "http2", target: ProbeTarget, context: PoolContext) {
    this.#protocol = protocol;
    this.#target = target;
    this.#context = context;
  }

  /** A connection that fails is reported as a reset. */
  send(head: RequestHead, body: Buffer | undefined, receiver: ResponseReceiver): void {
    if (this.#codec && !isUsable(this.#codec)) this.close();
    if (this.#codec) {
      this.#begin(head, body, receiver);
      return;
    }
    const { tls, bindAddresses: localAddresses, preface } = this.#target;
    this.#connecting = connectInTurn(
      this.#target,
      {
        tls,
        serverName: tls?.sni ?? "",
        localAddresses,
        preface,
        spoken: this.#protocol === "http2" ? http2Names : undefined,
        timers: this.#context.timers,
      },
      {
        onConnected: (socket) => {
          this.#connecting = undefined;
          const { timers, onFault } = this.#context;
          this.#start(new Connection(socket, { timers, bufferLimitBytes, onFault }));
          this.#begin(head, body, receiver);
        },
        onFailed: () => {
          this.#connecting = undefined;
          receiver.onResponseReset("connection-failure", true);
        },
      },
    );
  }

  /** Ends what is under way without a word to its receiver. */
  close(): void {
    this.#connecting?.cancel();
    this.#connecting = undefined;
    const connection = this.#codec?.connection;
    this.#codec = undefined;
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.reset("local-reset");
    connection?.destroy();
  }

  onReusable(): void {
    this.#stream = undefined;
  }

  onCapacity(): void {}
  onSettled(): void {}
  onProtocolError(): void {}

  onGone(): void {
    this.#codec = undefined;
    this.#stream = undefined;
  }

  #start(connection: Connection): void {
    if (this.#protocol === "http1") {
      this.#codec = new Http1ClientCodec(connection, codecOptions, this);
      connection.start(this.#codec);
      return;
    }
    const { timers } = this.#context;
    const codec = new Http2ClientCodec(
      connection,
      { plan: defaultHttp2Plan, limits, timers, flushTimeoutMs },
      this,
    );
    this.#codec = codec;
    connection.start(codec);
    codec.greet(1);
  }

  #begin(head: RequestHead, body: Buffer | undefined, receiver: ResponseReceiver): void {
    const codec = this.#codec;
    if (!codec) {
      receiver.onResponseReset("connection-termination", true);
      return;
    }
    const stream = codec.newStream(receiver);
    this.#stream = stream;
    stream.sendHead(head, body === undefined);
    if (body) stream.sendData(body, true);
  }
}

/** Whether another check may begin on it. */
function isUsable(codec: Http1ClientCodec | Http2ClientCodec): boolean {
  return codec instanceof Http1ClientCodec ? codec.isIdle : codec.capacity > 0;
}
