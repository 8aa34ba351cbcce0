import type { Clock } from "@weft/base/clock";
import type { Exchange } from "../layer/exchange.ts";
import type { FilterExchange } from "../layer/filter-exchange.ts";
import { GrpcMessageCounter } from "./grpc-message-counter.ts";
import type { MessageSeries } from "./istio-metrics.ts";

/** What has passed of a gRPC call, and how much of that is counted. */
interface OpenCall {
  readonly requests: GrpcMessageCounter;
  readonly responses: GrpcMessageCounter;
  requestsCounted: number;
  responsesCounted: number;
}

/**
 * Counts the messages of gRPC calls in Istio's metrics: when a call ends, and
 * of open ones every so often, once it is known whom they reached. A request
 * that is not gRPC pays for nothing of it.
 */
export class IstioMessageStats {
  readonly #clock: Clock;
  readonly #reportingMs: number;
  readonly #resolve: (exchange: Exchange) => MessageSeries | undefined;
  readonly #open = new Map<Exchange, OpenCall>();
  #isReporting = false;

  /** `resolve` gives the series of an open call, undefined while nobody has it yet. */
  constructor(clock: Clock, reportingMs: number, resolve: (exchange: Exchange) => MessageSeries | undefined) {
    this.#clock = clock;
    this.#reportingMs = reportingMs;
    this.#resolve = resolve;
  }

  begin(exchange: FilterExchange): void {
    const call: OpenCall = {
      requests: new GrpcMessageCounter(),
      responses: new GrpcMessageCounter(undefined, () => isGrpcAnswer(exchange)),
      requestsCounted: 0,
      responsesCounted: 0,
    };
    exchange.addRequestStage(call.requests);
    exchange.addResponseStage(call.responses);
    this.#open.set(exchange, call);
    this.#reportLater();
  }

  /** The call is over: `series` are those of its messages. */
  end(exchange: Exchange, series: MessageSeries): void {
    const call = this.#open.get(exchange);
    if (!call) return;
    this.#open.delete(exchange);
    count(call, series);
  }

  readonly #report = (): void => {
    this.#isReporting = false;
    for (const [exchange, call] of this.#open) {
      const hasPassed =
        call.requests.count > call.requestsCounted || call.responses.count > call.responsesCounted;
      const series = hasPassed ? this.#resolve(exchange) : undefined;
      if (series) count(call, series);
    }
    if (this.#open.size > 0) this.#reportLater();
  };

  #reportLater(): void {
    if (this.#isReporting) return;
    this.#isReporting = true;
    this.#clock.setTimer(this.#report, this.#reportingMs);
  }
}

/** What has come since it was last counted. */
function count(call: OpenCall, { requestMessages, responseMessages }: MessageSeries): void {
  requestMessages.add(call.requests.count - call.requestsCounted);
  responseMessages.add(call.responses.count - call.responsesCounted);
  call.requestsCounted = call.requests.count;
  call.responsesCounted = call.responses.count;
}

/** What a web server says to a gRPC call has no messages. */
function isGrpcAnswer({ response }: Exchange): boolean {
  return (
    response?.status === 200 && response.headers.get("content-type")?.startsWith("application/grpc") === true
  );
}
