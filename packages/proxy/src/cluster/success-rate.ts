/** What one endpoint did in an interval. */
export interface RequestCount {
  total: number;
  successes: number;
}

/** @see envoy.config.cluster.v3.OutlierDetection, of the endpoints' own (`external`) or of local failures. */
export interface RatePlan {
  readonly successRateMinimumHosts: number;
  readonly successRateRequestVolume: number;
  /** How many standard deviations below the mean are too many. */
  readonly successRateStdevFactor: number;
  readonly failurePercentageThreshold: number;
  readonly failurePercentageMinimumHosts: number;
  readonly failurePercentageRequestVolume: number;
}

export interface RateOutliers<T> {
  /** Success in percent, of those with enough requests to say. */
  readonly rates: ReadonlyMap<T, number>;
  readonly belowMean: readonly T[];
  readonly failing: readonly T[];
}

/**
 * Who did worse than the others, and who failed too often whatever the others
 * did. Neither is asked of too few endpoints or requests.
 */
export function findRateOutliers<T>(
  counts: Iterable<readonly [T, RequestCount]>,
  plan: RatePlan,
): RateOutliers<T> {
  const rates = new Map<T, number>();
  const compared: (readonly [T, number])[] = [];
  const judged: (readonly [T, number])[] = [];
  for (const [host, { total, successes }] of counts) {
    if (total === 0) continue;
    const rate = (100 * successes) / total;
    const { successRateRequestVolume, failurePercentageRequestVolume } = plan;
    if (total >= Math.min(successRateRequestVolume, failurePercentageRequestVolume)) rates.set(host, rate);
    if (total >= successRateRequestVolume) compared.push([host, rate]);
    if (total >= failurePercentageRequestVolume) judged.push([host, rate]);
  }
  let threshold = Number.NEGATIVE_INFINITY;
  if (compared.length > 0 && compared.length >= plan.successRateMinimumHosts) {
    const mean = compared.reduce((sum, [, rate]) => sum + rate, 0) / compared.length;
    const variance = compared.reduce((sum, [, rate]) => sum + (rate - mean) ** 2, 0) / compared.length;
    threshold = mean - plan.successRateStdevFactor * Math.sqrt(variance);
  }
  const isJudged = judged.length >= plan.failurePercentageMinimumHosts;
  return {
    rates,
    belowMean: compared.filter(([, rate]) => rate < threshold).map(([host]) => host),
    failing: isJudged
      ? judged.filter(([, rate]) => 100 - rate >= plan.failurePercentageThreshold).map(([host]) => host)
      : [],
  };
}
