import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";

/** @see envoy.config.route.v3.RetryPolicy */
export interface RetryPlan {
  readonly on: RetryConditions;
  /** Whether `on` names anything; where not, the plan only says how to retry when a caller asks for it. */
  readonly isActive: boolean;
  /** What `on.retriableStatuses` means. */
  readonly statuses: ReadonlySet<number>;
  /** What `on.retriableHeaders` means: one that matches the response is enough. */
  readonly headers: readonly HeaderPredicate[];
  /** `retriable_request_headers`: requests that match are tried again; undefined means all. */
  readonly appliesTo: ((request: RequestHead) => boolean) | undefined;
  readonly numRetries: number;
  /** From the whole request sent to the first byte of the answer; 0 means none. */
  readonly perTryTimeoutMs: number;
  /** Without anything from the upstream, before its answer or during it; 0 means none. */
  readonly perTryIdleTimeoutMs: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** `rate_limited_retry_back_off`: the upstream says in a header when to come again. */
  readonly rateLimited: RateLimitedBackoff | undefined;
  readonly placement: RetryPlacement;
}

export type HeaderPredicate = (headers: HeaderList) => boolean;

/** `retry_on`, decoded: every name Envoy knows, one field each. */
export interface RetryConditions {
  readonly is5xx: boolean;
  readonly gatewayError: boolean;
  readonly reset: boolean;
  readonly resetBeforeRequest: boolean;
  readonly connectFailure: boolean;
  readonly refusedStream: boolean;
  readonly retriable4xx: boolean;
  readonly envoyRateLimited: boolean;
  readonly retriableStatuses: boolean;
  readonly retriableHeaders: boolean;
  readonly grpcStatuses: ReadonlySet<number> | undefined;
}

/** @see envoy.config.route.v3.RetryPolicy.RateLimitedRetryBackOff */
export interface RateLimitedBackoff {
  /** In order of preference; the first that holds a delay of at most `maxMs` counts. */
  readonly headers: readonly { readonly name: string; readonly format: "seconds" | "unix-timestamp" }[];
  readonly maxMs: number;
}

/** Where another attempt goes. */
export interface RetryPlacement {
  /** `previous_hosts`: not to an endpoint tried before. */
  readonly avoidsPrevious: boolean;
  /** `omit_canary_hosts`. */
  readonly avoidsCanaries: boolean;
  /** `omit_host_metadata`: not to endpoints with all of these under `envoy.lb`. */
  readonly avoidedMetadata: readonly (readonly [key: string, value: string])[] | undefined;
  /** `previous_priorities`: after each so many attempts, not to the priorities tried; 0 leaves priorities alone. */
  readonly priorityUpdateFrequency: number;
}

export const noConditions: RetryConditions = {
  is5xx: false,
  gatewayError: false,
  reset: false,
  resetBeforeRequest: false,
  connectFailure: false,
  refusedStream: false,
  retriable4xx: false,
  envoyRateLimited: false,
  retriableStatuses: false,
  retriableHeaders: false,
  grpcStatuses: undefined,
};

/** What a policy that says nothing retries: nothing; and how it would. */
export const defaultRetryPlan: RetryPlan = {
  on: noConditions,
  isActive: false,
  statuses: new Set(),
  headers: [],
  appliesTo: undefined,
  numRetries: 1,
  perTryTimeoutMs: 0,
  perTryIdleTimeoutMs: 0,
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  rateLimited: undefined,
  placement: {
    avoidsPrevious: false,
    avoidsCanaries: false,
    avoidedMetadata: undefined,
    priorityUpdateFrequency: 0,
  },
};

const conditionOf: Readonly<Record<string, Exclude<keyof RetryConditions, "grpcStatuses">>> = {
  "5xx": "is5xx",
  "gateway-error": "gatewayError",
  reset: "reset",
  "reset-before-request": "resetBeforeRequest",
  "connect-failure": "connectFailure",
  "refused-stream": "refusedStream",
  "retriable-4xx": "retriable4xx",
  "envoy-ratelimited": "envoyRateLimited",
  "retriable-status-codes": "retriableStatuses",
  "retriable-headers": "retriableHeaders",
};

const grpcStatusOf: Readonly<Record<string, number>> = {
  cancelled: 1,
  "deadline-exceeded": 4,
  "resource-exhausted": 8,
  internal: 13,
  unavailable: 14,
};

/** Known and without effect here: HTTP/3 is not spoken, so it never fails. */
const idleCondition = "http3-post-connect-failure";

export const retryConditionNames: readonly string[] = [
  ...Object.keys(conditionOf),
  ...Object.keys(grpcStatusOf),
  idleCondition,
];

/** Adds the conditions of a `retry_on` list to `before`, which is returned as it is when none is named. `onUnknown` hears of names that are none. */
export function parseRetryOn(
  list: string,
  before: RetryConditions,
  onUnknown: (name: string) => void = () => {},
): RetryConditions {
  const named: Partial<Record<keyof RetryConditions, true>> = {};
  const statuses = new Set(before.grpcStatuses);
  for (const part of list.split(",")) {
    const name = part.trim();
    const condition = conditionOf[name];
    const status = grpcStatusOf[name];
    if (condition) named[condition] = true;
    else if (status !== undefined) statuses.add(status);
    else if (name !== "" && name !== idleCondition) onUnknown(name);
  }
  const namesGrpc = statuses.size > (before.grpcStatuses?.size ?? 0);
  if (!namesGrpc && Object.keys(named).length === 0) return before;
  return { ...before, ...(named as object), grpcStatuses: statuses.size > 0 ? statuses : undefined };
}

/** The conditions as `retry_on` names them. */
export function retryOnNames(on: RetryConditions): readonly string[] {
  const named = Object.entries(conditionOf).filter(([, field]) => on[field]);
  const grpc = Object.entries(grpcStatusOf).filter(([, status]) => on.grpcStatuses?.has(status));
  return [...named, ...grpc].map(([name]) => name);
}
