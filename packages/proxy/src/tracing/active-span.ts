import type { Exchange } from "../layer/exchange.ts";

/**
 * The trace a request is part of while tracing is on, sampled or not; undefined
 * otherwise. Of a request that is answered before its trace begins, it is what it came with.
 */
export function activeTraceId({ plan, request, span }: Exchange): string | undefined {
  if (span) return span.traceId;
  return request && plan?.tracing?.propagation.read(request.headers)?.traceId;
}

/** The span of the request itself, as `activeTraceId`. */
export function activeSpanId({ plan, request, span }: Exchange): string | undefined {
  if (span) return span.spanId;
  return request && plan?.tracing?.propagation.read(request.headers)?.spanId;
}
