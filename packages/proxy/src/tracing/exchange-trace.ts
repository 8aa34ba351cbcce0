import type { Cluster, Endpoint } from "../cluster/cluster.ts";
import type { Exchange } from "../layer/exchange.ts";
import { flat } from "../net/latin1.ts";
import { decisionOf } from "../observe/reply-decision.ts";
import { AttemptSpan } from "./attempt-span.ts";
import type { ParentContext, SpanContext } from "./propagation.ts";
import { exchangeAttributes, isMarkedFailed, pushCustomTags } from "./span-attributes.ts";
import { newSpanId } from "./trace-context.ts";
import type { Attributes, TracingPlan } from "./tracing-plan.ts";

/** The part of a trace that one sampled request is here: the span of the exchange, and those of its attempts. */
export class ExchangeTrace {
  readonly plan: TracingPlan;
  readonly context: SpanContext;
  readonly parent: ParentContext | undefined;
  /** What the span is called; the other side of the hop may know better. */
  name: string;

  constructor(plan: TracingPlan, context: SpanContext, parent: ParentContext | undefined, name: string) {
    this.plan = plan;
    this.context = context;
    this.parent = parent;
    this.name = name;
  }

  startAttempt(exchange: Exchange, cluster: Cluster, endpoint: Endpoint, startMs: number): AttemptSpan {
    return new AttemptSpan(this, exchange, cluster, endpoint, flat(newSpanId()), startMs);
  }

  /** Reports the exchange, which is complete. */
  finish(exchange: Exchange): void {
    const { plan, context, name } = this;
    const attributes = exchangeAttributes(exchange, plan);
    pushDecision(attributes, exchange);
    pushCustomTags(attributes, exchange, plan);
    const status = exchange.response?.status ?? 0;
    const kind = kindOf(plan, exchange);
    plan.sink.report({
      ...context,
      traceState: this.parent?.traceState ?? "",
      name,
      kind,
      startMs: exchange.startEpochMs,
      endMs: exchange.startEpochMs + (exchange.endMs - exchange.startMs),
      isError: status >= (kind === "client" ? 400 : 500) || isMarkedFailed(attributes),
      attributes,
    });
  }
}

/** What decided about an answer that was made here, and the line it was written in. */
function pushDecision(attributes: Attributes, exchange: Exchange): void {
  const decision = decisionOf(exchange);
  if (!decision?.by) return;
  attributes.push("weft.decided_by", decision.by);
  if (decision.origin !== "") attributes.push("weft.decided_at", decision.origin);
}

/**
 * A proxy whose attempts are spans of their own is a server to its caller. One
 * without is no hop of its own: it speaks for the application it stands beside.
 */
export function kindOf(plan: TracingPlan, { direction }: Exchange): "server" | "client" {
  return !plan.spawnsUpstreamSpan && direction === "outbound" ? "client" : "server";
}
