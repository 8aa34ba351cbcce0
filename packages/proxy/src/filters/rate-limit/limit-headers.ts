/** How one descriptor stands. @see RateLimitResponse.DescriptorStatus */
export interface LimitStatus {
  /** Undefined where the service named no limit. */
  readonly limit: { readonly requests: number; readonly windowS: number; readonly name: string } | undefined;
  readonly remaining: number;
  readonly resetS: number;
}

/**
 * The fields that tell a client of its limits, flat: those of the descriptor
 * with the least left, and every limit as a policy. None where there is no limit.
 *
 * @see https://datatracker.ietf.org/doc/html/draft-polli-ratelimit-headers-03
 */
export function describeLimits(statuses: readonly LimitStatus[]): readonly string[] {
  const limited = statuses.filter(({ limit }) => limit !== undefined);
  const [first] = limited;
  if (!first) return [];
  const least = limited.reduce((a, b) => (b.remaining < a.remaining ? b : a), first);
  const policies = limited
    .filter(({ limit }) => limit!.windowS > 0)
    .map(({ limit }) => {
      const name = limit!.name === "" ? "" : `;name="${limit!.name.replaceAll(/[^\x20-\x7e]|["\\]/g, "")}"`;
      return `, ${limit!.requests};w=${limit!.windowS}${name}`;
    });
  return [
    "x-ratelimit-limit",
    `${least.limit!.requests}${policies.join("")}`,
    "x-ratelimit-remaining",
    `${least.remaining}`,
    "x-ratelimit-reset",
    `${least.resetS}`,
  ];
}
