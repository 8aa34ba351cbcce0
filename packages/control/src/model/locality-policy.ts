import type { LocalitySettingSpec } from "../config/destination-rule-specs.ts";

/** What the places of a caller and of endpoints have to do with who is called. */
export type LocalityPolicy =
  /** Nothing. */
  | { readonly kind: "even" }
  | { readonly kind: "distribute"; readonly from: readonly Distribution[] }
  | LocalityFailover;

/** Shares of the calls from one place. */
export interface Distribution {
  /** `region/zone/subzone`, with `*`. */
  readonly place: string;
  readonly to: readonly { readonly place: string; readonly percent: number }[];
}

/** The nearest are called as long as they are well. */
export interface LocalityFailover {
  readonly kind: "failover";
  /** In place of region, zone and subzone: the more of these, from the first on, the nearer. */
  readonly labels: readonly PriorityLabel[];
  /** Of regions: which other comes next. */
  readonly regions: readonly { readonly from: string; readonly to: string }[];
  /** Whether that is so although nobody watches how well they are. */
  readonly isForced: boolean;
  /** What is in the caller's region is all equally near. */
  readonly isByRegion?: boolean;
}

export interface PriorityLabel {
  readonly name: string;
  /** Undefined: the caller's own. */
  readonly value: string | undefined;
}

/** As Istio, where nobody says otherwise. */
export const nearestFirst: LocalityFailover = { kind: "failover", labels: [], regions: [], isForced: false };

export function buildLocalityPolicy(spec: LocalitySettingSpec): LocalityPolicy {
  if (spec.enabled === false) return { kind: "even" };
  if (spec.distribute?.length) {
    return {
      kind: "distribute",
      from: spec.distribute.map(({ from = "", to = {} }) => ({
        place: from,
        to: Object.entries(to)
          .map(([place, percent]) => ({ place, percent }))
          .sort((a, b) => (a.place < b.place ? -1 : 1)),
      })),
    };
  }
  return {
    kind: "failover",
    labels: (spec.failoverPriority ?? []).map(priorityLabel),
    regions: (spec.failover ?? []).map(({ from = "", to = "" }) => ({ from, to })),
    isForced: false,
  };
}

/**
 * As Istio where a proxy does not know its own service, which it needs to tell
 * what its zone can take: the caller's region comes first, and all of its zones
 * alike. That is so whether or not anybody watches how well endpoints are.
 */
export function buildZoneAwarePolicy(spec: Omit<LocalitySettingSpec, "distribute">): LocalityPolicy {
  const { enabled, failover, failoverPriority } = spec;
  const policy = buildLocalityPolicy({ enabled, failover, failoverPriority });
  return policy.kind === "failover" ? { ...policy, isForced: true, isByRegion: true } : policy;
}

/** `name` or `name=value`. */
function priorityLabel(text: string): PriorityLabel {
  const equals = text.indexOf("=");
  return equals < 0
    ? { name: text, value: undefined }
    : { name: text.slice(0, equals), value: text.slice(equals + 1) };
}

/** Istio's, which says what a Service says by a field. */
export const distributionAnnotation = "networking.istio.io/traffic-distribution";

/** Of a Service: `spec.trafficDistribution`, which asks for nearness whether anybody watches or not. */
export function nearnessOf(distribution: string | undefined): LocalityFailover | undefined {
  const isZonal = distribution === "PreferClose" || distribution === "PreferSameZone";
  return isZonal ? { ...nearestFirst, isForced: true } : undefined;
}
