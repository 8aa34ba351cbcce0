import type { RequestHead } from "../layer/message.ts";
import { addList, newCandidates, nextCandidate, PathIndex } from "./path-index.ts";
import {
  compilePath,
  type PathPredicate,
  type PathSpec,
  pathEnd,
  pathEndBeforeParameters,
} from "./path-matcher.ts";
import type { RouteMatch, RouteMiss, RoutePlan, RouteTrace, VirtualHostPlan } from "./route-plan.ts";
import type { RoutePredicate, RouteSource } from "./route-predicate.ts";

/** One route: when it applies, and what it then does. @see envoy.config.route.v3.Route */
export interface RouteSpec {
  readonly path: PathSpec;
  /** Conditions beside the path: all must hold. */
  readonly conditions: readonly RoutePredicate[];
  /** Share of requests, 0 to 1, that may take this route (`runtime_fraction`). */
  readonly fraction: number;
  readonly plan: RoutePlan;
}

/** Fewer routes than this are quicker to try one after the other. */
const indexThreshold = 8;

/** Reused by every match: matching is synchronous and never nested. */
const found = newCandidates();

interface Entry {
  readonly path: PathPredicate;
  readonly conditions: readonly RoutePredicate[];
  readonly fraction: number;
  /** Made once, so that a match allocates nothing. */
  readonly match: RouteMatch;
}

/** The routes of a virtual host, or those that a matcher of it comes to: the first that matches counts. */
export class RouteList {
  readonly #entries: readonly Entry[];
  /** Where the part of a path that routes match ends. */
  readonly #endOf: (path: string) => number;
  readonly #index: PathIndex | undefined;
  /** Routes the index cannot hold (expressions, ignored case): always candidates. */
  readonly #unindexed: readonly number[];

  /** `ignoresParameters` is `ignore_path_parameters_in_path_matching`. */
  constructor(routes: readonly RouteSpec[], virtualHost: VirtualHostPlan, ignoresParameters: boolean) {
    this.#endOf = ignoresParameters ? pathEndBeforeParameters : pathEnd;
    this.#entries = routes.map((route) => ({
      path: compilePath(route.path),
      conditions: route.conditions,
      fraction: route.fraction,
      match: { virtualHost, route: route.plan },
    }));
    const unindexed: number[] = [];
    if (routes.length >= indexThreshold) {
      const index = new PathIndex();
      routes.forEach(({ path }, i) => {
        if (path.kind === "regex" || !path.caseSensitive) unindexed.push(i);
        else index.add(path, i);
      });
      this.#index = index;
    }
    this.#unindexed = unindexed;
  }

  match(request: RequestHead, random: number, source: RouteSource | undefined): RouteMatch | undefined {
    const { path } = request;
    const end = this.#endOf(path);
    const entries = this.#entries;
    if (!this.#index) {
      for (const entry of entries) {
        if (entry.path(path, end) && holds(entry, request, random, source)) return entry.match;
      }
      return undefined;
    }
    found.count = 0;
    this.#index.find(path, end, found);
    if (this.#unindexed.length > 0) addList(found, this.#unindexed);
    const last = this.#unindexed.length > 0 ? found.count - 1 : -1;
    for (;;) {
      const candidate = nextCandidate(found);
      if (candidate < 0) return undefined;
      const entry = entries[candidate]!;
      if (last >= 0 && !entry.path(path, end)) continue;
      if (holds(entry, request, random, source)) return entry.match;
    }
  }

  /** Tries the routes one after the other, as `match` does where there are few of them. */
  trace(
    request: RequestHead,
    random: number,
    source: RouteSource | undefined,
  ): Pick<RouteTrace, "misses" | "match" | "index"> {
    const end = this.#endOf(request.path);
    const misses: RouteMiss[] = [];
    for (const [index, entry] of this.#entries.entries()) {
      const failed = entry.path(request.path, end) ? failing(entry, request, random, source) : "path";
      if (failed === undefined) return { misses, match: entry.match, index };
      misses.push({ index, route: entry.match.route, failed });
    }
    return { misses, match: undefined, index: undefined };
  }
}

function holds(entry: Entry, request: RequestHead, random: number, source: RouteSource | undefined): boolean {
  if (entry.fraction < 1 && random >= entry.fraction) return false;
  for (const condition of entry.conditions) if (!condition(request, source)) return false;
  return true;
}

/** What of `holds` does not; undefined where all does. */
function failing(
  entry: Entry,
  request: RequestHead,
  random: number,
  source: RouteSource | undefined,
): RouteMiss["failed"] | undefined {
  if (entry.fraction < 1 && random >= entry.fraction) return "fraction";
  const first = entry.conditions.findIndex((condition) => !condition(request, source));
  return first < 0 ? undefined : first;
}
