import type { Endpoint } from "../model/endpoint.ts";
import { isWithin, type Locality, withTopology } from "../model/locality.ts";
import type {
  Distribution,
  LocalityFailover,
  LocalityPolicy,
  PriorityLabel,
} from "../model/locality-policy.ts";
import type { Place } from "./place.ts";

/** Endpoints of one locality that are called alike. */
export interface EndpointGroup {
  readonly locality: Locality | undefined;
  /** The lower, the sooner; without gaps. */
  readonly priority: number;
  /** Undefined: as much as its endpoints weigh together. */
  readonly weight: number | undefined;
  readonly endpoints: readonly Endpoint[];
}

/** A place of nowhere is far from everywhere. */
const elsewhere: Locality = { region: "", zone: "", subZone: "" };

/** By locality, in order of priority and then of name: as they are for a caller who stands there. */
export function orderByPlace(
  endpoints: readonly Endpoint[],
  policy: Exclude<LocalityPolicy, { kind: "even" }> | undefined,
  place: Place,
): EndpointGroup[] {
  const groups = [...Map.groupBy(endpoints, ({ locality }) => localityKey(locality)).values()].map((own) => ({
    locality: own[0]!.locality,
    priority: 0,
    weight: undefined,
    endpoints: own,
  }));
  const ordered =
    policy?.kind === "distribute"
      ? distributed(groups, policy.from, place)
      : policy
        ? withoutGaps(groups.flatMap((group) => prioritised(group, policy, place)))
        : groups;
  return ordered.sort((a, b) => a.priority - b.priority || (byName(a) < byName(b) ? -1 : 1));
}

function byName({ locality }: EndpointGroup): string {
  return localityKey(locality);
}

function localityKey(locality: Locality | undefined): string {
  return locality ? `${locality.region}/${locality.zone}/${locality.subZone}` : "";
}

/**
 * Each place has the share that is written, and what is in it divides that by
 * its weight; what is in none is not called. Shares are in hundredths of a
 * percent. As they are where nothing is written for calls from here.
 */
function distributed(
  groups: readonly EndpointGroup[],
  from: readonly Distribution[],
  { locality = elsewhere }: Place,
): EndpointGroup[] {
  const own = from.find(({ place }) => isWithin(locality, place));
  if (!own) return [...groups];
  return own.to.flatMap(({ place, percent }) => {
    const inside = groups.filter((group) => isWithin(group.locality ?? elsewhere, place));
    const total = inside.reduce((sum, group) => sum + weightOf(group), 0);
    return inside.map((group) => ({
      ...group,
      weight: Math.max(1, Math.round((weightOf(group) * percent * 100) / total)),
    }));
  });
}

function weightOf({ endpoints }: EndpointGroup): number {
  return endpoints.reduce((sum, { weight }) => sum + (weight || 1), 0);
}

/** How many steps of nearness there are, by regions. */
const steps = 5;

/** By labels first where there are any, and by place where there are none or the order of regions is told. */
function prioritised(
  group: EndpointGroup,
  { labels, regions, isByRegion = false }: LocalityFailover,
  place: Place,
): EndpointGroup[] {
  const isPlaced = labels.length === 0 || regions.length > 0 || isByRegion;
  const distance = isPlaced ? distanceOf(group.locality, regions, place, isByRegion) : 0;
  if (labels.length === 0) return [{ ...group, priority: distance }];
  const byLabels = Map.groupBy(group.endpoints, (endpoint) => missing(endpoint, labels, place));
  return [...byLabels].map(([missed, endpoints]) => ({
    ...group,
    priority: missed * steps + distance,
    endpoints,
  }));
}

/** How many of the labels do not count: the first that differs, and all behind it. */
function missing(
  { labels: all, locality }: Endpoint,
  labels: readonly PriorityLabel[],
  place: Place,
): number {
  const own = withTopology(all, locality);
  const first = labels.findIndex(({ name, value = place.labels[name] }) => value !== own[name]);
  return first < 0 ? 0 : labels.length - first;
}

/** 0 in the same subzone, 3 in another region, 4 in one that another was named before. */
function distanceOf(
  locality: Locality = elsewhere,
  regions: LocalityFailover["regions"],
  { locality: own = elsewhere }: Place,
  isByRegion: boolean,
): number {
  if (own.region === locality.region) {
    if (isByRegion) return 0;
    if (own.zone !== locality.zone) return 2;
    return own.subZone === locality.subZone ? 0 : 1;
  }
  const next = regions.find(({ from }) => from === own.region);
  return next && next.to !== locality.region ? 4 : 3;
}

/** Priorities are counted from 0, each of them used. */
function withoutGaps(groups: readonly EndpointGroup[]): EndpointGroup[] {
  const used = [...new Set(groups.map(({ priority }) => priority))].sort((a, b) => a - b);
  return groups.map((group) => ({ ...group, priority: used.indexOf(group.priority) }));
}
