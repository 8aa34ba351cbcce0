import type { Counter } from "@weft/base/metric-registry";
import { isSameLocality, type Locality, type LocalityGroup } from "./locality-group.ts";
import type { ZoneAwarePlan } from "./zone-aware-plan.ts";

/** What zone-aware routing has to know of this proxy and those like it. */
export interface ZoneAwareness {
  readonly plan: ZoneAwarePlan;
  readonly own: Locality;
  /** The local cluster's endpoints; undefined while there is no such cluster. */
  readonly local: () => readonly LocalityGroup[] | undefined;
  readonly localPanicPercent: () => number;
  /** `cluster.<name>.lb_*`. */
  readonly counter: (name: string) => Counter;
}

/** How many healthy endpoints a cluster has in a locality. */
export interface LocalityCount {
  readonly locality: Locality;
  readonly healthy: number;
}

/**
 * Where requests go: all to the own zone, or `localShare` of them and the rest
 * to the others in proportion to `residual`, which is cumulative.
 */
export type ZoneRouting =
  | { readonly kind: "direct" }
  | { readonly kind: "residual"; readonly localShare: number; readonly residual: readonly number[] };

const whole = 10_000;

/**
 * Keeps requests in the own zone as far as the zone's share of the upstream's
 * endpoints allows, so that no endpoint gets more than its fair part: Envoy's
 * arithmetic, in parts of ten thousand.
 *
 * `own` is this proxy's locality, `local` the cluster of all proxies like it.
 */
export function routeByZone(
  own: Locality,
  local: readonly LocalityCount[],
  upstream: readonly LocalityCount[],
  forcesLocal: boolean,
): ZoneRouting {
  const localTotal = total(local);
  const upstreamTotal = total(upstream);
  const shares = upstream.map(({ locality, healthy }) => {
    const counterpart = local.find((entry) => isSameLocality(entry.locality, locality));
    return {
      local: healthy > 0 ? share(counterpart?.healthy ?? 0, localTotal) : 0,
      upstream: share(healthy, upstreamTotal),
    };
  });
  const at = upstream.findIndex(({ locality }) => isSameLocality(locality, own));
  const mine = shares[at];
  if (mine && mine.upstream > 0 && (forcesLocal || mine.upstream >= mine.local)) return { kind: "direct" };
  let sum = 0;
  return {
    kind: "residual",
    localShare: mine && mine.local > 0 ? Math.floor((mine.upstream * whole) / mine.local) / whole : 0,
    residual: shares.map((entry, i) => {
      if (i !== at) sum += Math.max(0, entry.upstream - entry.local);
      return sum;
    }),
  };
}

function total(counts: readonly LocalityCount[]): number {
  return counts.reduce((sum, { healthy }) => sum + healthy, 0);
}

function share(count: number, of: number): number {
  return of > 0 ? Math.floor((whole * count) / of) : 0;
}
