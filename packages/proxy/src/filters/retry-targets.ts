import type { Endpoint } from "../cluster/cluster.ts";
import type { RetryPlacement } from "../route/retry-plan.ts";

/**
 * Where a request was tried, and so where it should be tried next. Made when a
 * request is tried again, not before; it grows with the number of retries.
 *
 * @see envoy.config.route.v3.RetryPolicy, `retry_host_predicate` and `retry_priority`
 */
export class RetryTargets {
  readonly #placement: RetryPlacement;
  readonly #tried: Endpoint[] = [];
  #excludedPriorities: readonly number[] | undefined = undefined;

  constructor(placement: RetryPlacement) {
    this.#placement = placement;
  }

  /** Priorities to leave out as long as there are others. */
  get excludedPriorities(): readonly number[] | undefined {
    return this.#excludedPriorities;
  }

  add(endpoint: Endpoint): void {
    const { priorityUpdateFrequency: frequency } = this.#placement;
    this.#tried.push(endpoint);
    if (frequency > 0 && this.#tried.length % frequency === 0) {
      this.#excludedPriorities = [...new Set(this.#tried.map(({ priority }) => priority))].sort(
        (a, b) => a - b,
      );
    }
  }

  /** For `PickContext.avoid`. */
  readonly avoids = (endpoint: Endpoint): boolean => {
    const { avoidsPrevious, avoidsCanaries, avoidedMetadata } = this.#placement;
    if (avoidsPrevious && this.#tried.includes(endpoint)) return true;
    const metadata = endpoint.plan.metadata.get("envoy.lb");
    if (avoidsCanaries && metadata?.get("canary") === "true") return true;
    return avoidedMetadata?.every(([key, value]) => metadata?.get(key) === value) ?? false;
  };
}
