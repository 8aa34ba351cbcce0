import {
  XRateLimitHeadersRFCVersion as HeadersVersion,
  VhRateLimitsOptions as HostLimits,
  type LocalRateLimitDescriptor,
} from "@weft/xds/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb";
import {
  type LocalRateLimit as LocalRateLimitMessage,
  LocalRateLimitSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb";
import type { TokenBucket } from "@weft/xds/gen/envoy/type/v3/token_bucket_pb";
import type { VirtualHostLimits } from "../../filters/rate-limit/descriptors.ts";
import type { DescriptorBucketPlan } from "../../filters/rate-limit/local-limiter.ts";
import {
  createLocalRateLimitFilter,
  LocalRateLimit,
  localRateLimitStats,
} from "../../filters/rate-limit/local-rate-limit.ts";
import type { TokenBucketPlan } from "../../filters/rate-limit/token-bucket.ts";
import type { DecodeContext } from "../decode-context.ts";
import { decodeHeaderEdits } from "../decode-header-edits.ts";
import { decodeRateLimits } from "../decode-rate-limits.ts";
import { decodeFraction, durationMs } from "../decode-values.ts";
import { at, type Issues } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

const minFillIntervalMs = 50;
const defaultDynamicBuckets = 20;

export const localRateLimitFilter = httpFilterType(
  LocalRateLimitSchema,
  (message, { name, path }, context) =>
    createLocalRateLimitFilter(decode(message, path, context), context.services, name),
  routeConfigType(LocalRateLimitSchema, (message, path, context) => {
    if (!message.tokenBucket) context.issues.add(at(path, "token_bucket"), "is not set");
    return decode(message, path, context);
  }),
);

const hostLimits: Readonly<Record<HostLimits, VirtualHostLimits>> = {
  [HostLimits.OVERRIDE]: "override",
  [HostLimits.INCLUDE]: "include",
  [HostLimits.IGNORE]: "ignore",
};

function decode(message: LocalRateLimitMessage, path: string, context: DecodeContext): LocalRateLimit {
  const { issues, runtime, services } = context;
  if (message.statPrefix === "") issues.add(at(path, "stat_prefix"), "is empty", "name the statistics");
  // Both are nothing where nothing is said, as in Envoy.
  const share = (value: LocalRateLimitMessage["filterEnabled"]) =>
    value ? decodeFraction(value, runtime) : 0;
  const code: number = message.status?.code ?? 429;
  const descriptors = message.descriptors.map((descriptor, i) =>
    decodeDescriptor(descriptor, `${at(path, "descriptors")}[${i}]`, issues),
  );
  return new LocalRateLimit(
    {
      limiter: {
        bucket: message.tokenBucket && decodeBucket(message.tokenBucket, at(path, "token_bucket"), issues),
        descriptors,
        alwaysTakesCommon: message.alwaysConsumeDefaultTokenBucket ?? true,
        maxDynamicBuckets: message.maxDynamicDescriptors ?? defaultDynamicBuckets,
      },
      // As Envoy: a status that is no error counts as the usual one.
      status: code >= 400 && code <= 599 ? code : 429,
      enabled: share(message.filterEnabled),
      enforced: share(message.filterEnforced),
      requestEditsWhenNotEnforced: decodeHeaderEdits(
        message.requestHeadersToAddWhenNotEnforced,
        [],
        path,
        "request",
        context,
      ),
      responseEdits: decodeHeaderEdits(message.responseHeadersToAdd, [], path, "response", context),
      stage: message.stage,
      isPerConnection: message.localRateLimitPerDownstreamConnection,
      tellsLimits: message.enableXRatelimitHeaders === HeadersVersion.DRAFT_VERSION_03,
      virtualHostLimits: hostLimits[message.vhRateLimits],
      isResourceExhausted: message.rateLimitedAsResourceExhausted,
      policies: decodeRateLimits(message.rateLimits, at(path, "rate_limits"), context),
    },
    localRateLimitStats(services.stats, message.statPrefix),
    services.clock.monotonicMs(),
  );
}

function decodeDescriptor(
  { entries, tokenBucket }: LocalRateLimitDescriptor,
  path: string,
  issues: Issues,
): DescriptorBucketPlan {
  if (entries.length === 0) issues.add(at(path, "entries"), "is empty");
  entries.forEach(({ key }, i) => {
    if (key === "") issues.add(`${at(path, "entries")}[${i}].key`, "is empty");
  });
  if (!tokenBucket) issues.add(at(path, "token_bucket"), "is not set");
  return {
    descriptor: entries.map(({ key, value }) => [key, value] as const),
    bucket: tokenBucket ? decodeBucket(tokenBucket, at(path, "token_bucket"), issues) : oneBySecond,
  };
}

const oneBySecond: TokenBucketPlan = { maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 1_000 };

function decodeBucket(
  { maxTokens, tokensPerFill = 1, fillInterval }: TokenBucket,
  path: string,
  issues: Issues,
): TokenBucketPlan {
  const fillIntervalMs = durationMs(fillInterval, 0);
  if (maxTokens === 0) issues.add(at(path, "max_tokens"), "is not set", "give a number above 0");
  if (tokensPerFill === 0) issues.add(at(path, "tokens_per_fill"), "is 0", "give a number above 0");
  if (fillIntervalMs < minFillIntervalMs) {
    issues.add(at(path, "fill_interval"), `is below ${minFillIntervalMs} ms`, "at least 0.05s");
  }
  return { maxTokens, tokensPerFill, fillIntervalMs };
}
