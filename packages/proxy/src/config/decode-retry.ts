import type { RetryPolicy } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import type { RetryConditions, RetryPlan } from "../route/route-plan.ts";
import { decodeHeaderMatcher, timeoutMs } from "./decode-values.ts";
import { at, type Issues, nearest } from "./issues.ts";

const grpcStatuses: Readonly<Record<string, number>> = {
  cancelled: 1,
  "deadline-exceeded": 4,
  "resource-exhausted": 8,
  internal: 13,
  unavailable: 14,
};

const httpConditions = [
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "refused-stream",
  "retriable-4xx",
  "envoy-ratelimited",
  "retriable-status-codes",
  "retriable-headers",
] as const;

/** Decodes a retry policy; undefined when it never retries. */
export function decodeRetry(
  policy: RetryPolicy | undefined,
  path: string,
  issues: Issues,
): RetryPlan | undefined {
  if (!policy) return undefined;
  const on = decodeConditions(policy, path, issues);
  const baseMs = timeoutMs(
    policy.retryBackOff?.baseInterval,
    25,
    at(path, "retry_back_off.base_interval"),
    issues,
  );
  const maxMs = timeoutMs(
    policy.retryBackOff?.maxInterval,
    baseMs * 10,
    at(path, "retry_back_off.max_interval"),
    issues,
  );
  if (maxMs < baseMs) issues.add(at(path, "retry_back_off.max_interval"), "is shorter than `base_interval`");
  let avoidPreviousHosts = false;
  policy.retryHostPredicate.forEach((predicate, i) => {
    if (predicate.name === "envoy.retry_host_predicates.previous_hosts") avoidPreviousHosts = true;
    else {
      issues.add(
        at(`${at(path, "retry_host_predicate")}[${i}]`, "name"),
        `${predicate.name} is not implemented by this proxy`,
        "use envoy.retry_host_predicates.previous_hosts or none",
      );
    }
  });
  const numRetries = policy.numRetries ?? 1;
  if (numRetries === 0) return undefined;
  return {
    on,
    numRetries,
    perTryTimeoutMs: timeoutMs(policy.perTryTimeout, 0, at(path, "per_try_timeout"), issues),
    backoffBaseMs: baseMs,
    backoffMaxMs: maxMs,
    avoidPreviousHosts,
    hostSelectionAttempts: Number(policy.hostSelectionRetryMaxAttempts) || 1,
  };
}

function decodeConditions(policy: RetryPolicy, path: string, issues: Issues): RetryConditions {
  const names = policy.retryOn
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const known: readonly string[] = [...httpConditions, ...Object.keys(grpcStatuses)];
  const codes = new Set(policy.retriableStatusCodes);
  for (const name of names) {
    if (known.includes(name)) continue;
    if (/^\d{3}$/.test(name)) {
      codes.add(Number(name));
      continue;
    }
    const near = nearest(name, known);
    issues.add(
      at(path, "retry_on"),
      `${JSON.stringify(name)} is not a retry condition`,
      near ? `did you mean ${near}?` : `one of ${known.join(", ")}`,
    );
  }
  const has = (name: (typeof httpConditions)[number]) => names.includes(name);
  const grpc = names.flatMap((name) => grpcStatuses[name] ?? []);
  return {
    is5xx: has("5xx"),
    gatewayError: has("gateway-error"),
    reset: has("reset"),
    resetBeforeRequest: has("reset-before-request"),
    connectFailure: has("connect-failure"),
    refusedStream: has("refused-stream"),
    retriable4xx: has("retriable-4xx"),
    envoyRateLimited: has("envoy-ratelimited"),
    retriableStatuses:
      codes.size > 0 && (has("retriable-status-codes") || names.some(isCode)) ? codes : undefined,
    retriableHeaders: has("retriable-headers") ? retriableHeaders(policy, path, issues) : undefined,
    grpcStatuses: grpc.length > 0 ? new Set(grpc) : undefined,
  };
}

function isCode(name: string): boolean {
  return /^\d{3}$/.test(name);
}

function retriableHeaders(
  policy: RetryPolicy,
  path: string,
  issues: Issues,
): ((headers: HeaderList) => boolean) | undefined {
  const matchers = policy.retriableHeaders.map((matcher, i) =>
    decodeHeaderMatcher(matcher, `${at(path, "retriable_headers")}[${i}]`, issues),
  );
  if (matchers.length === 0) return undefined;
  return (headers) => {
    const response: RequestHead = {
      method: "",
      path: "",
      authority: "",
      scheme: "http",
      headers,
      upgrade: "",
    };
    return matchers.some((matches) => matches(response));
  };
}
