import type { Cluster, Endpoint } from "../cluster/cluster.ts";
import type { Exchange } from "../layer/exchange.ts";
import { AttemptSpan } from "./attempt-span.ts";
import { exchangeAttributes, isMarkedFailed, pushCustomTags } from "./span-attributes.ts";
import { newSpanId, type ParentContext } from "./trace-context.ts";
import type { TracingPlan } from "./tracing-plan.ts";

/** The part of a trace that one sampled request is here: the span of the exchange, and those of its attempts. */
export class ExchangeTrace {
  readonly plan: TracingPlan;
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState: string;
  /** What the span is called; the other side of the hop may know better. */
  name: string;
  readonly #parentId: string;

  constructor(
    plan: TracingPlan,
    traceId: string,
    spanId: string,
    parent: ParentContext | undefined,
    name: string,
  ) {
    this.plan = plan;
    this.traceId = traceId;
    this.spanId = spanId;
    this.traceState = parent?.traceState ?? "";
    this.#parentId = parent?.spanId ?? "";
    this.name = name;
  }

  startAttempt(exchange: Exchange, cluster: Cluster, endpoint: Endpoint, startMs: number): AttemptSpan {
    return new AttemptSpan(this, exchange, cluster, endpoint, newSpanId(), startMs);
  }

  /** Reports the exchange, which is complete. */
  finish(exchange: Exchange): void {
    const { plan, traceId, spanId, traceState, name } = this;
    const attributes = exchangeAttributes(exchange, plan);
    pushCustomTags(attributes, exchange, plan);
    const status = exchange.response?.status ?? 0;
    const kind = kindOf(plan, exchange);
    plan.sink.report({
      traceId,
      spanId,
      parentId: this.#parentId,
      traceState,
      name,
      kind,
      startMs: exchange.startEpochMs,
      endMs: exchange.startEpochMs + (exchange.endMs - exchange.startMs),
      isError: status >= (kind === "client" ? 400 : 500) || isMarkedFailed(attributes),
      attributes,
    });
  }
}

/**
 * A proxy whose attempts are spans of their own is a server to its caller. One
 * without is no hop of its own: it speaks for the application it stands beside.
 */
function kindOf(plan: TracingPlan, { direction }: Exchange): "server" | "client" {
  return !plan.spawnsUpstreamSpan && direction === "outbound" ? "client" : "server";
}
