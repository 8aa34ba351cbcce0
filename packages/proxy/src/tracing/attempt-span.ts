import type { Cluster, Endpoint } from "../cluster/cluster.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { ResponseHead } from "../layer/message.ts";
import type { ExchangeTrace } from "./exchange-trace.ts";
import type { SpanContext } from "./propagation.ts";
import { attemptAttributes, isMarkedFailed, pushCustomTags } from "./span-attributes.ts";

/** One attempt at an endpoint as a span: the upstream's parent. Ends once. */
export class AttemptSpan {
  readonly #trace: ExchangeTrace;
  readonly #exchange: Exchange;
  readonly #cluster: Cluster;
  readonly #endpoint: Endpoint;
  readonly #context: SpanContext;
  readonly #startMs: number;
  readonly #number: number;
  #status = 0;
  #flags = 0;
  #reason = "";
  #grpc: HeaderList | undefined = undefined;

  constructor(
    trace: ExchangeTrace,
    exchange: Exchange,
    cluster: Cluster,
    endpoint: Endpoint,
    spanId: string,
    startMs: number,
  ) {
    this.#trace = trace;
    this.#exchange = exchange;
    this.#cluster = cluster;
    this.#endpoint = endpoint;
    const { traceId, spanId: parentId } = trace.context;
    this.#context = { traceId, spanId, parentId, isShared: false };
    this.#startMs = startMs;
    this.#number = exchange.attempts;
  }

  /** Makes what is about to be sent a child of this span. */
  inject(headers: HeaderList): void {
    const { plan, parent } = this.#trace;
    plan.propagation.write(headers, this.#context, true, parent);
  }

  onHead({ status, headers }: ResponseHead): void {
    this.#status = status;
    this.#grpc = headers;
  }

  onTrailers(trailers: HeaderList): void {
    this.#grpc = trailers;
  }

  /** `flag` is a bit of `ResponseFlag`. */
  onFailure(reason: string, flag: number): void {
    this.#reason = reason;
    this.#flags |= flag;
  }

  end(nowMs: number): void {
    const exchange = this.#exchange;
    const { plan, parent } = this.#trace;
    const status = this.#status;
    const attributes = attemptAttributes(exchange, this.#cluster, this.#endpoint, {
      number: this.#number,
      status,
      flags: this.#flags,
      reason: this.#reason,
      grpc: this.#grpc,
    });
    pushCustomTags(attributes, exchange, plan);
    const offsetMs = exchange.startEpochMs - exchange.startMs;
    plan.sink.report({
      ...this.#context,
      traceState: parent?.traceState ?? "",
      name: this.#name(),
      kind: "client",
      startMs: offsetMs + this.#startMs,
      endMs: offsetMs + nowMs,
      isError: status >= 400 || isMarkedFailed(attributes),
      attributes,
    });
  }

  #name(): string {
    const { plan } = this.#trace;
    const named = this.#exchange.match?.route.tracing?.upstreamOperation ?? plan.upstreamOperation;
    const name = typeof named === "function" ? named(this.#exchange) : named;
    return name || `router ${this.#cluster.plan.statName} egress`;
  }
}
