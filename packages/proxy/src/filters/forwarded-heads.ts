import type { HttpExchange } from "../layer/http-exchange.ts";
import type { ResponseHead } from "../layer/message.ts";
import { applyHeaderEdits } from "../route/header-edits.ts";
import type { ClusterChoice, ForwardAction } from "../route/route-plan.ts";
import type { RouterPlan } from "./router-plan.ts";

/** Makes the request's head what the upstream shall see, whichever endpoint is chosen. */
export function prepareRequestHead(
  exchange: HttpExchange,
  action: ForwardAction,
  choice: ClusterChoice,
  plan: RouterPlan,
): void {
  const request = exchange.request!;
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
  if (!plan.suppressEnvoyHeaders && action.timeoutMs > 0) {
    const perTryMs = action.retry?.perTryTimeoutMs ?? 0;
    const expectedMs = perTryMs > 0 && perTryMs < action.timeoutMs ? perTryMs : action.timeoutMs;
    request.headers.append("x-envoy-expected-rq-timeout-ms", `${expectedMs}`);
  }
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
