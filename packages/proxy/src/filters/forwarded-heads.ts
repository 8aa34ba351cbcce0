import type { HttpExchange } from "../layer/http-exchange.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { CallLimits } from "../route/call-limits.ts";
import { applyHeaderEdits } from "../route/header-edits.ts";
import { isGrpc } from "../route/request-matcher.ts";
import type { CallTarget } from "./call-target.ts";
import { formatGrpcTimeout } from "./grpc-timeout.ts";

/** Makes the request's head what the upstream shall see, whichever endpoint is chosen. */
export function prepareRequestHead(exchange: HttpExchange, target: CallTarget, limits: CallLimits): void {
  const { action, choice, plan } = target;
  const request = exchange.request!;
  tellTimeout(request, target, limits, 0);
  if (exchange.match!.virtualHost.includesRequestAttemptCount) {
    request.headers.set("x-envoy-attempt-count", `${exchange.attempts + 1}`);
  }
  if (choice.requestEdits) applyHeaderEdits(choice.requestEdits, request.headers, exchange);
  const routeEdits = exchange.match!.route.requestEdits;
  if (routeEdits) applyHeaderEdits(routeEdits, request.headers, exchange);
  if (choice.authority !== undefined) request.authority = choice.authority;
  const authority = action.rewriteAuthority?.(request, exchange);
  if (authority !== undefined) rewriteAuthority(request, authority, target);
  const after = action.rewritePath?.(request.path, exchange);
  if (after === undefined) return;
  if (!plan.suppressEnvoyHeaders) request.headers.set("x-envoy-original-path", request.path);
  request.path = after;
}

/** Makes the head what the endpoint of the next attempt shall see; `hostname` is "" where it has none. */
export function prepareAttemptHead(exchange: HttpExchange, target: CallTarget, hostname: string): void {
  const request = exchange.request!;
  if (target.action.autoHostRewrite && hostname !== "" && request.authority !== hostname) {
    rewriteAuthority(request, hostname, target);
  }
  if (exchange.attempts > 1 && exchange.match!.virtualHost.includesRequestAttemptCount) {
    request.headers.set("x-envoy-attempt-count", `${exchange.attempts}`);
  }
}

/** Tells the upstream what is left of the time, and why it is asked again. */
export function prepareRetryHead(
  exchange: HttpExchange,
  target: CallTarget,
  limits: CallLimits,
  wasTimeout: boolean,
): void {
  const request = exchange.request!;
  const { requestCompleteMs } = exchange;
  const nowMs = exchange.service.context.clock.monotonicMs();
  const elapsedMs = requestCompleteMs > 0 ? nowMs - requestCompleteMs : 0;
  tellTimeout(request, target, limits, elapsedMs);
  if (exchange.match!.virtualHost.includesTimeoutRetry) {
    request.headers.set("x-envoy-is-timeout-retry", `${wasTimeout}`);
  }
}

/** Sends the request to another host by name; the upstream learns the first one it was for. */
function rewriteAuthority(request: RequestHead, authority: string, { action, plan }: CallTarget): void {
  const { headers } = request;
  if (!plan.suppressEnvoyHeaders && !headers.has("x-envoy-original-host")) {
    headers.append("x-envoy-original-host", request.authority);
  }
  if (action.appendsForwardedHost) {
    const before = headers.getAll("x-forwarded-host");
    const { authority: host } = request;
    headers.set("x-forwarded-host", before === undefined ? host : `${before},${host}`);
  }
  request.authority = authority;
}

/** Tells the upstream how long the answer is waited for, `elapsedMs` after the request was complete. */
export function tellTimeout(
  request: RequestHead,
  { action, plan }: CallTarget,
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
  { choice, plan }: CallTarget,
  head: ResponseHead,
  upstreamMs: number,
): void {
  const { headers } = head;
  // What the edits' command operators read.
  exchange.response = head;
  exchange.details = "via_upstream";
  // A tunnel has no answer whose time could be told.
  if (!plan.suppressEnvoyHeaders && !exchange.isUpgrade) {
    headers.set("x-envoy-upstream-service-time", `${Math.round(upstreamMs)}`);
  }
  if (exchange.stickyCookie !== undefined) headers.append("set-cookie", exchange.stickyCookie);
  const { route, virtualHost } = exchange.match!;
  if (virtualHost.includesResponseAttemptCount) {
    headers.set("x-envoy-attempt-count", `${exchange.attempts}`);
  }
  if (choice.responseEdits) applyHeaderEdits(choice.responseEdits, headers, exchange);
  if (route.responseEdits) applyHeaderEdits(route.responseEdits, headers, exchange);
}

/** Answers in place of the cluster; an answer that has begun is broken off. */
export function replyInstead(
  exchange: HttpExchange,
  status: number,
  body: string,
  details: string,
  flag: number,
): void {
  const fields: string[] = [];
  if (flag === ResponseFlag.UpstreamOverflow) fields.push("x-envoy-overloaded", "true");
  if (exchange.match!.virtualHost.includesResponseAttemptCount) {
    fields.push("x-envoy-attempt-count", `${exchange.attempts}`);
  }
  exchange.replyWith(status, Buffer.from(body), details, flag, fields);
}
