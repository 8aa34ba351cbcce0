import type { Exchange } from "../layer/exchange.ts";
import type { ResponseHead } from "../layer/message.ts";
import { flat } from "../net/latin1.ts";
import { ExchangeTrace, kindOf } from "./exchange-trace.ts";
import type { SpanContext } from "./propagation.ts";
import { decideTrace, markRequestId } from "./sampling.ts";
import type { TracingPlan } from "./tracing-plan.ts";

/** What tracing notes of an exchange. */
export interface TracedExchange extends Exchange {
  requestId: string;
  span: SpanContext | undefined;
  trace: ExchangeTrace | undefined;
  isTraceForced: boolean;
  /** The name of this request, which the caller's span is to have as well; "" for none. */
  operationForCaller: string;
}

const operationField = "x-envoy-decorator-operation";

/**
 * Decides whether a request is traced, and makes this hop the parent of what
 * comes after it, sampled or not.
 *
 * A malformed context begins a new trace.
 */
export function beginTrace(exchange: TracedExchange, plan: TracingPlan, random: () => number): void {
  const { headers } = exchange.request!;
  const route = exchange.match?.route.tracing;
  const isClientTraced = headers.has("x-client-trace-id");
  const reason = plan.samplesById
    ? decideTrace(exchange.requestId, isClientTraced, route?.shares ?? plan.shares, random)
    : "random-sampling";
  plan.decisions[reason].value += 1;
  exchange.isTraceForced = reason === "service-forced";
  const isMarked = plan.samplesById && plan.marksId;
  const requestId = isMarked ? markRequestId(exchange.requestId, reason) : exchange.requestId;
  if (requestId !== exchange.requestId) {
    exchange.requestId = requestId;
    headers.set("x-request-id", requestId);
  }

  const { propagation } = plan;
  const parent = propagation.read(headers);
  const context = propagation.span(parent, kindOf(plan, exchange) === "server");
  exchange.span = context;
  const isSampled = propagation.isSampled(parent, reason !== "not-traceable");
  propagation.write(headers, context, isSampled, parent);
  const operation = route?.operation ?? plan.operation;
  // Who configures names does not hear of others'.
  const decorated = operation === undefined ? decorate(exchange) : "";
  if (!isSampled) return;
  const configured = typeof operation === "function" ? operation(exchange) : operation;
  const name = configured || decorated || usualName(exchange, plan);
  exchange.trace = new ExchangeTrace(plan, kept(context), parent, name);
}

/** A copy with ids that keep nothing else in memory: what is recorded lasts longer than its request. */
function kept({ traceId, spanId, parentId, isShared }: SpanContext): SpanContext {
  return { traceId: flat(traceId), spanId: flat(spanId), parentId: flat(parentId), isShared };
}

/** The answer as the caller gets it: what the other side calls this request is kept or handed on. */
export function traceResponse(
  exchange: Pick<TracedExchange, "direction" | "match" | "trace" | "operationForCaller">,
  plan: TracingPlan,
  { headers }: ResponseHead,
): void {
  if (exchange.direction === "outbound") {
    if ((exchange.match?.route.tracing?.operation ?? plan.operation) !== undefined) return;
    const operation = headers.get(operationField);
    if (operation === undefined) return;
    if (operation !== "" && exchange.trace) exchange.trace.name = operation;
    headers.remove(operationField);
  } else if (exchange.operationForCaller !== "") headers.set(operationField, exchange.operationForCaller);
}

/**
 * What the caller, or else the route, calls this request; "" for nothing. The
 * upstream of an outbound request is told, and the caller of an inbound one
 * that did not say itself.
 */
function decorate(exchange: TracedExchange): string {
  const { headers } = exchange.request!;
  const decorator = exchange.match?.route.decorator;
  const own = decorator?.operation ?? "";
  if (exchange.direction === "outbound") {
    if (decorator?.isPropagated) headers.set(operationField, own);
    return own;
  }
  const told = headers.get(operationField);
  if (told !== undefined) headers.remove(operationField);
  if (told) return told;
  if (decorator?.isPropagated) exchange.operationForCaller = own;
  return own;
}

function usualName({ direction, request }: Exchange, { isNamedAfterHost }: TracingPlan): string {
  if (isNamedAfterHost) return request!.authority;
  return direction === "outbound" ? `egress ${request!.authority}` : "ingress";
}
