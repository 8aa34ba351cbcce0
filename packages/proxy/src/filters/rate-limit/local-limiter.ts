import type { Descriptor } from "./descriptors.ts";
import { TokenBucket, type TokenBucketPlan } from "./token-bucket.ts";

/** A bucket of its own for what a descriptor names; a pair with an empty value stands for any value. */
export interface DescriptorBucketPlan {
  readonly descriptor: Descriptor;
  readonly bucket: TokenBucketPlan;
}

/** @see envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit */
export interface LocalLimiterPlan {
  /** Undefined limits only what descriptors name. */
  readonly bucket: TokenBucketPlan | undefined;
  readonly descriptors: readonly DescriptorBucketPlan[];
  /** Requests with a bucket of their own take from the common one too. */
  readonly alwaysTakesCommon: boolean;
  /** Buckets made for values of one descriptor with a wildcard; the one not used longest makes room. */
  readonly maxDynamicBuckets: number;
}

export interface LimitVerdict {
  readonly isAllowed: boolean;
  /** The bucket that decided; undefined where none applied. */
  readonly bucket: TokenBucket | undefined;
}

const unlimited: LimitVerdict = { isAllowed: true, bucket: undefined };

interface Limit {
  readonly plan: DescriptorBucketPlan;
  readonly isWildcard: boolean;
  readonly buckets: Map<string, TokenBucket>;
}

/** Counts requests against token buckets of this process. */
export class LocalLimiter {
  readonly #plan: LocalLimiterPlan;
  readonly #common: TokenBucket | undefined;
  readonly #limits: readonly Limit[];

  constructor(plan: LocalLimiterPlan, nowMs: number) {
    this.#plan = plan;
    this.#common = plan.bucket && new TokenBucket(plan.bucket, nowMs);
    // The strictest first: what it refuses takes nothing from the others.
    this.#limits = [...plan.descriptors]
      .sort((a, b) => ratePerS(a.bucket) - ratePerS(b.bucket))
      .map((one) => ({
        plan: one,
        isWildcard: one.descriptor.some(([, value]) => value === ""),
        buckets: new Map(),
      }));
  }

  take(descriptors: readonly Descriptor[], nowMs: number): LimitVerdict {
    let decisive: TokenBucket | undefined;
    for (const limit of this.#limits) {
      const match = descriptors.find((descriptor) => matches(limit.plan.descriptor, descriptor));
      if (!match) continue;
      const bucket = this.#bucketOf(limit, match, nowMs);
      if (!bucket.take(nowMs)) return { isAllowed: false, bucket };
      if (!decisive || bucket.remaining(nowMs) < decisive.remaining(nowMs)) decisive = bucket;
    }
    const common = this.#common;
    if (!common || (decisive && !this.#plan.alwaysTakesCommon)) {
      return decisive ? { isAllowed: true, bucket: decisive } : unlimited;
    }
    if (!common.take(nowMs)) return { isAllowed: false, bucket: common };
    return { isAllowed: true, bucket: decisive ?? common };
  }

  #bucketOf({ plan, isWildcard, buckets }: Limit, descriptor: Descriptor, nowMs: number): TokenBucket {
    const key = isWildcard ? descriptor.map(([, value]) => value).join("\0") : "";
    let bucket = buckets.get(key);
    if (bucket) {
      if (!isWildcard) return bucket;
      buckets.delete(key);
    } else {
      bucket = new TokenBucket(plan.bucket, nowMs);
      if (buckets.size >= this.#plan.maxDynamicBuckets) {
        const [oldest] = buckets.keys();
        if (oldest !== undefined) buckets.delete(oldest);
      }
    }
    buckets.set(key, bucket);
    return bucket;
  }
}

function ratePerS({ tokensPerFill, fillIntervalMs }: TokenBucketPlan): number {
  return (tokensPerFill * 1000) / fillIntervalMs;
}

function matches(wanted: Descriptor, descriptor: Descriptor): boolean {
  return (
    wanted.length === descriptor.length &&
    wanted.every(([key, value], i) => {
      const [otherKey, otherValue] = descriptor[i]!;
      return key === otherKey && (value === "" || value === otherValue);
    })
  );
}
