import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import { type CallLimits, withinTotal } from "../route/call-limits.ts";
import { isGrpc } from "../route/request-matcher.ts";
import { defaultRetryPlan, parseRetryOn, type RetryPlan } from "../route/retry-plan.ts";
import type { ForwardAction } from "../route/route-plan.ts";
import { parseGrpcTimeout } from "./grpc-timeout.ts";

/** The `x-envoy-…` fields by which a trusted caller changes what its route says, by what they are here. */
const fields = {
  "x-envoy-retry-on": "retryOn",
  "x-envoy-retry-grpc-on": "retryGrpcOn",
  "x-envoy-max-retries": "maxRetries",
  "x-envoy-retriable-status-codes": "statusCodes",
  "x-envoy-retriable-header-names": "headerNames",
  "x-envoy-upstream-rq-timeout-ms": "timeoutMs",
  "x-envoy-upstream-rq-per-try-timeout-ms": "perTryTimeoutMs",
  "x-envoy-hedge-on-per-try-timeout": "hedges",
  "x-envoy-upstream-rq-timeout-alt-response": "alternateResponse",
} as const;

/** What the caller asks, as it wrote it. Never empty. */
export type RequestInstructions = Partial<Record<(typeof fields)[keyof typeof fields], string>>;

/**
 * Takes the instructions out of a request; undefined when there are none.
 *
 * They are believed as they stand: those of callers that are not trusted were
 * removed before (`prepareRequest`).
 *
 * @see https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter
 */
export function takeInstructions(headers: HeaderList): RequestInstructions | undefined {
  const { flat } = headers;
  let found: RequestInstructions | undefined;
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!;
    if (name.charCodeAt(2) !== 101 || !name.startsWith("x-envoy-")) continue;
    const field = (fields as Readonly<Record<string, keyof RequestInstructions>>)[name];
    if (field === undefined) continue;
    found ??= {};
    found[field] ??= flat[i + 1]!;
  }
  if (found) for (const name of Object.keys(fields)) headers.remove(name);
  return found;
}

/** The limits of one request: its route's, unless its caller, its deadline or the proxy before says otherwise. */
export function limitsOf(
  action: ForwardAction,
  head: RequestHead,
  asked: RequestInstructions | undefined,
  respectsExpected: boolean,
): CallLimits {
  const { limits, grpcTimeout } = action;
  const expectedMs = respectsExpected
    ? parseCount(head.headers.get("x-envoy-expected-rq-timeout-ms"))
    : undefined;
  const isGrpcBound = grpcTimeout !== undefined && isGrpc(head);
  if (!asked && !isGrpcBound && expectedMs === undefined) return limits;
  const routeMs = isGrpcBound ? grpcTimeoutMs(grpcTimeout, head) : limits.timeoutMs;
  const timeoutMs = expectedMs ?? parseCount(asked?.timeoutMs) ?? routeMs;
  const perTryMs =
    parseCount(asked?.perTryTimeoutMs) ?? action.retry?.perTryTimeoutMs ?? limits.perTryTimeoutMs;
  return {
    timeoutMs,
    perTryTimeoutMs: withinTotal(perTryMs, timeoutMs),
    perTryIdleTimeoutMs: limits.perTryIdleTimeoutMs,
    hedgesOnTimeout: asked?.hedges === "true" || (asked?.hedges !== "false" && limits.hedgesOnTimeout),
    timeoutStatus: asked?.alternateResponse === undefined ? limits.timeoutStatus : 204,
  };
}

/** The policy of one request; undefined when nothing about it is tried again. */
export function retryOf(
  policy: RetryPlan | undefined,
  head: RequestHead,
  asked: RequestInstructions | undefined,
): RetryPlan | undefined {
  if (!asked) return policy?.isActive && (policy.appliesTo?.(head) ?? true) ? policy : undefined;
  const base = policy ?? defaultRetryPlan;
  if (base.appliesTo && !base.appliesTo(head)) return undefined;
  let { on } = base;
  if (asked.retryOn !== undefined) on = parseRetryOn(asked.retryOn, on);
  if (asked.retryGrpcOn !== undefined) on = parseRetryOn(asked.retryGrpcOn, on);
  if (on === defaultRetryPlan.on) return undefined;
  return {
    ...base,
    on,
    isActive: true,
    numRetries: parseCount(asked.maxRetries) ?? base.numRetries,
    statuses: new Set([...base.statuses, ...listed(asked.statusCodes).map(Number)]),
    headers: [
      ...base.headers,
      ...listed(asked.headerNames).map((name) => (headers: HeaderList) => headers.has(name)),
    ],
  };
}

/** `grpc-timeout` less the route's offset, within the route's maximum, which 0 leaves open. */
function grpcTimeoutMs(
  { maxMs, offsetMs }: NonNullable<ForwardAction["grpcTimeout"]>,
  head: RequestHead,
): number {
  let timeoutMs = parseGrpcTimeout(head.headers.get("grpc-timeout")) ?? 0;
  if (offsetMs < timeoutMs) timeoutMs -= offsetMs;
  return maxMs > 0 && (timeoutMs === 0 || timeoutMs > maxMs) ? maxMs : timeoutMs;
}

function listed(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  return text
    .toLowerCase()
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** A whole number of at most nine digits: more asks for nothing anybody waits for. */
function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
