import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { HeaderValue } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  RateLimitResponse_Code as Code,
  RateLimitRequestSchema,
  type RateLimitResponse,
  RateLimitResponseSchema,
  RateLimitResponse_RateLimit_Unit as Unit,
} from "@weft/xds/gen/envoy/service/ratelimit/v3/rls_pb";
import type { Descriptor } from "../filters/rate-limit/descriptors.ts";
import type { LimitStatus } from "../filters/rate-limit/limit-headers.ts";
import type { RateLimitAnswer } from "../filters/rate-limit/rate-limit.ts";
import type { MetadataValue } from "../layer/dynamic-metadata.ts";

/** @see envoy.service.ratelimit.v3.RateLimitRequest */
export function encodeRateLimitRequest(domain: string, descriptors: readonly Descriptor[]): Uint8Array {
  const request = create(RateLimitRequestSchema, {
    domain,
    descriptors: descriptors.map((descriptor) => ({
      entries: descriptor.map(([key, value]) => ({ key, value })),
    })),
  });
  return toBinary(RateLimitRequestSchema, request);
}

/** Undefined for an answer that cannot be read. */
export function decodeRateLimitResponse(bytes: Uint8Array): RateLimitAnswer | undefined {
  let response: RateLimitResponse;
  try {
    response = fromBinary(RateLimitResponseSchema, bytes);
  } catch {
    return undefined;
  }
  const { overallCode, rawBody, dynamicMetadata } = response;
  return {
    isOverLimit: overallCode === Code.OVER_LIMIT,
    responseFields: response.responseHeadersToAdd.flatMap(fieldOf),
    requestFields: response.requestHeadersToAdd.flatMap(fieldOf),
    body: Buffer.from(rawBody),
    statuses: response.statuses.map(statusOf),
    metadata: dynamicMetadata && new Map(Object.entries(dynamicMetadata as Record<string, MetadataValue>)),
  };
}

const windowsS: Readonly<Record<Unit, number>> = {
  [Unit.UNKNOWN]: 0,
  [Unit.SECOND]: 1,
  [Unit.MINUTE]: 60,
  [Unit.HOUR]: 3_600,
  [Unit.DAY]: 86_400,
  [Unit.WEEK]: 604_800,
  [Unit.MONTH]: 2_592_000,
  [Unit.YEAR]: 31_536_000,
};

function statusOf(status: RateLimitResponse["statuses"][number]): LimitStatus {
  const { currentLimit, limitRemaining, durationUntilReset } = status;
  return {
    limit: currentLimit && {
      requests: currentLimit.requestsPerUnit,
      windowS: windowsS[currentLimit.unit] ?? 0,
      name: currentLimit.name,
    },
    remaining: limitRemaining,
    resetS: Number(durationUntilReset?.seconds ?? 0n),
  };
}

/** Nothing where the name is not one a service may set, or the value no header can hold. */
function fieldOf({ key, value }: HeaderValue): string[] {
  const name = key.toLowerCase();
  const isSettable = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) && name !== "host" && name !== "content-length";
  return isSettable && /^[\t\x20-\x7e]*$/.test(value) ? [name, value] : [];
}
