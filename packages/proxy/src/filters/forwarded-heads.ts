import type { HttpExchange } from "../layer/http-exchange.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { CallLimits } from "../route/call-limits.ts";
import { applyHeaderEdits } from "../route/header-edits.ts";
import { isGrpc } from "../route/request-matcher.ts";
import type { ClusterChoice, ForwardAction } from "../route/route-plan.ts";
import { formatGrpcTimeout } from "./grpc-timeout.ts";
import type { RouterPlan } from "./router-plan.ts";

/** Makes the request's head what the upstream shall see, whichever endpoint is chosen. */
export function prepareRequestHead(
  exchange: HttpExchange,
  action: ForwardAction,
  choice: ClusterChoice,
  plan: RouterPlan,
  limits: CallLimits,
): void {
  const request = exchange.request!;
  tellTimeout(request, action, plan, limits, 0);
  if (choice.requestEdits) applyHeaderEdits(choice.requestEdits, request.headers, exchange);
  const routeEdits = exchange.match!.route.requestEdits;
  if (routeEdits) applyHeaderEdits(routeEdits, request.headers, exchange);
  const before = request.path;
  const after = action.rewritePath?.(before) ?? before;
  if (after !== before) {
    request.path = after;
    if (!plan.suppressEnvoyHeaders) request.headers.set("x-envoy-original-path", before);
  }
  if (action.rewriteAuthority !== undefined) request.authority = action.rewriteAuthority;
}

/** Tells the upstream how long the answer is waited for, `elapsedMs` after the request was complete. */
export function tellTimeout(
  request: RequestHead,
  action: ForwardAction,
  plan: RouterPlan,
  limits: CallLimits,
  elapsedMs: number,
): void {
  const { timeoutMs, perTryTimeoutMs, hedgesOnTimeout } = limits;
  const { headers } = request;
  let expectedMs = hedgesOnTimeout || perTryTimeoutMs === 0 ? timeoutMs : perTryTimeoutMs;
  if (expectedMs === 0) return;
  // 0 would mean no timeout at all; the timer of the whole request is about to fire.
  if (timeoutMs > 0) expectedMs = Math.max(1, Math.min(expectedMs, Math.floor(timeoutMs - elapsedMs)));
  if (!plan.suppressEnvoyHeaders) headers.set("x-envoy-expected-rq-timeout-ms", `${expectedMs}`);
  if (action.grpcTimeout && isGrpc(request)) headers.set("grpc-timeout", formatGrpcTimeout(expectedMs));
}

/** Makes the head of the answer that was chosen what the client shall see. */
export function prepareResponseHead(
  exchange: HttpExchange,
  choice: ClusterChoice,
  plan: RouterPlan,
  head: ResponseHead,
  upstreamMs: number,
): void {
  const { headers } = head;
  const match = exchange.match!;
  if (!plan.suppressEnvoyHeaders) headers.set("x-envoy-upstream-service-time", `${Math.round(upstreamMs)}`);
  if (match.virtualHost.includesResponseAttemptCount) {
    headers.set("x-envoy-attempt-count", `${exchange.attempts}`);
  }
  if (exchange.stickyCookie !== undefined) headers.append("set-cookie", exchange.stickyCookie);
  if (choice.responseEdits) applyHeaderEdits(choice.responseEdits, headers, exchange);
  const edits = match.route.responseEdits;
  if (edits) applyHeaderEdits(edits, headers, exchange);
}
