import type { Message } from "@bufbuild/protobuf";
import {
  RetryPolicy_ResetHeaderFormat as Format,
  type RetryPolicy,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { OmitHostMetadataConfig } from "@weft/xds/gen/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config_pb";
import type { PreviousPrioritiesConfig } from "@weft/xds/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb";
import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import {
  defaultRetryPlan,
  type HeaderPredicate,
  noConditions,
  parseRetryOn,
  type RateLimitedBackoff,
  type RetryConditions,
  type RetryPlacement,
  type RetryPlan,
  retryConditionNames,
} from "../route/retry-plan.ts";
import { decodeHeaderMatcher, subsetOf, timeoutMs } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues, nearest } from "./issues.ts";

const defaultMaxResetMs = 300_000;

/** Decodes a retry policy; undefined when there is none. */
export function decodeRetry(
  policy: RetryPolicy | undefined,
  path: string,
  issues: Issues,
): RetryPlan | undefined {
  if (!policy) return undefined;
  const { on, statuses } = decodeConditions(policy, path, issues);
  const time = (value: Parameters<typeof timeoutMs>[0], fallback: number, place: string) =>
    timeoutMs(value, fallback, at(path, place), issues);
  const baseMs = time(policy.retryBackOff?.baseInterval, 25, "retry_back_off.base_interval");
  const maxMs = time(policy.retryBackOff?.maxInterval, baseMs * 10, "retry_back_off.max_interval");
  if (policy.retryBackOff && baseMs === 0) {
    issues.add(at(path, "retry_back_off.base_interval"), "is missing or 0", "give a duration above 0");
  }
  if (maxMs < baseMs) issues.add(at(path, "retry_back_off.max_interval"), "is shorter than `base_interval`");
  const appliesTo = policy.retriableRequestHeaders.map((matcher, i) =>
    decodeHeaderMatcher(matcher, `${at(path, "retriable_request_headers")}[${i}]`, issues),
  );
  return {
    on,
    isActive: on !== noConditions,
    statuses,
    headers: policy.retriableHeaders.map((matcher, i) =>
      onResponse(decodeHeaderMatcher(matcher, `${at(path, "retriable_headers")}[${i}]`, issues)),
    ),
    appliesTo:
      appliesTo.length === 0 ? undefined : (request) => appliesTo.some((matches) => matches(request)),
    numRetries: policy.numRetries ?? 1,
    perTryTimeoutMs: time(policy.perTryTimeout, 0, "per_try_timeout"),
    perTryIdleTimeoutMs: time(policy.perTryIdleTimeout, 0, "per_try_idle_timeout"),
    backoffBaseMs: baseMs,
    backoffMaxMs: maxMs,
    rateLimited: decodeRateLimited(policy, at(path, "rate_limited_retry_back_off"), issues),
    placement: decodePlacement(policy, path, issues),
  };
}

function decodeConditions(
  policy: RetryPolicy,
  path: string,
  issues: Issues,
): { readonly on: RetryConditions; readonly statuses: ReadonlySet<number> } {
  const statuses = new Set(policy.retriableStatusCodes);
  let namesStatus = false;
  const on = parseRetryOn(policy.retryOn, noConditions, (name) => {
    if (/^\d{3}$/.test(name)) {
      statuses.add(Number(name));
      namesStatus = true;
      return;
    }
    const near = nearest(name, retryConditionNames);
    issues.add(
      at(path, "retry_on"),
      `${JSON.stringify(name)} is not a retry condition`,
      near ? `did you mean ${near}?` : `one of ${retryConditionNames.join(", ")}`,
    );
  });
  return { on: namesStatus ? { ...on, retriableStatuses: true } : on, statuses };
}

/** Makes a condition on requests one on response headers. */
function onResponse(matches: (request: RequestHead) => boolean): HeaderPredicate {
  return (headers: HeaderList) =>
    matches({ method: "", path: "", authority: "", scheme: "http", headers, upgrade: "" });
}

function decodeRateLimited(
  policy: RetryPolicy,
  path: string,
  issues: Issues,
): RateLimitedBackoff | undefined {
  const backoff = policy.rateLimitedRetryBackOff;
  if (!backoff) return undefined;
  if (backoff.resetHeaders.length === 0) {
    issues.add(at(path, "reset_headers"), "is empty", "name a header such as Retry-After");
  }
  const maxMs = timeoutMs(backoff.maxInterval, defaultMaxResetMs, at(path, "max_interval"), issues);
  if (maxMs === 0) issues.add(at(path, "max_interval"), "is 0", "give a duration above 0");
  return {
    headers: backoff.resetHeaders.map(({ name, format }, i) => {
      if (name === "") issues.add(`${at(path, "reset_headers")}[${i}].name`, "is empty", "name a header");
      return {
        name: name.toLowerCase(),
        format: format === Format.UNIX_TIMESTAMP ? "unix-timestamp" : "seconds",
      };
    }),
    maxMs,
  };
}

function decodePlacement(policy: RetryPolicy, path: string, issues: Issues): RetryPlacement {
  let placement = defaultRetryPlan.placement;
  policy.retryHostPredicate.forEach((predicate, i) => {
    const place = `${at(path, "retry_host_predicate")}[${i}]`;
    const config = configOf(predicate, place, issues);
    switch (config?.$typeName ?? predicate.name) {
      case "envoy.retry_host_predicates.previous_hosts":
      case "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate":
        placement = { ...placement, avoidsPrevious: true };
        break;
      case "envoy.retry_host_predicates.omit_canary_hosts":
      case "envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate":
        placement = { ...placement, avoidsCanaries: true };
        break;
      case "envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig": {
        const avoidedMetadata = subsetOf((config as OmitHostMetadataConfig).metadataMatch);
        placement = { ...placement, avoidedMetadata };
        break;
      }
      default:
        issues.add(
          at(place, "name"),
          `${predicate.name} is not implemented by this proxy`,
          "use envoy.retry_host_predicates.previous_hosts, omit_canary_hosts or omit_host_metadata",
        );
    }
  });
  if (!policy.retryPriority) return placement;
  const place = at(path, "retry_priority");
  const config = configOf(policy.retryPriority, place, issues);
  if (
    config?.$typeName !== "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"
  ) {
    issues.add(
      at(place, "name"),
      `${policy.retryPriority.name} is not implemented by this proxy`,
      "use envoy.retry_priorities.previous_priorities with its `typed_config`",
    );
    return placement;
  }
  const { updateFrequency } = config as PreviousPrioritiesConfig;
  if (updateFrequency <= 0) {
    issues.add(at(place, "typed_config.update_frequency"), `${updateFrequency} is not above 0`);
  }
  return { ...placement, priorityUpdateFrequency: updateFrequency };
}

function configOf(
  extension: NonNullable<RetryPolicy["retryPriority"]> | RetryPolicy["retryHostPredicate"][number],
  path: string,
  issues: Issues,
): Message | undefined {
  if (extension.name === "") issues.add(at(path, "name"), "is empty", "name the extension");
  return extension.configType.case === "typedConfig" ? unpackAny(extension.configType.value) : undefined;
}
