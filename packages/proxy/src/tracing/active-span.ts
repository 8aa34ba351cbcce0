import type { Exchange } from "../layer/exchange.ts";

/**
 * The trace a request is part of while tracing is on, sampled or not; undefined
 * otherwise. What is not sampled is known by the context that was passed on.
 */
export function activeTraceId({ plan, request, trace }: Exchange): string | undefined {
  if (trace) return trace.context.traceId;
  return request && plan?.tracing?.propagation.read(request.headers)?.traceId;
}

/** The span of the request itself, as `activeTraceId`. */
export function activeSpanId({ plan, request, trace }: Exchange): string | undefined {
  if (trace) return trace.context.spanId;
  return request && plan?.tracing?.propagation.read(request.headers)?.spanId;
}
