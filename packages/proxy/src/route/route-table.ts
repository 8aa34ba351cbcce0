import type { RequestHead } from "../layer/message.ts";
import { DomainIndex } from "./domain-index.ts";
import { addList, newCandidates, nextCandidate, PathIndex } from "./path-index.ts";
import {
  compilePath,
  type PathPredicate,
  type PathSpec,
  pathEnd,
  pathEndBeforeParameters,
} from "./path-matcher.ts";
import type { RoutePredicate, RouteSource } from "./request-matcher.ts";
import {
  noRouteTrace,
  type RouteMatch,
  type RouteMiss,
  type RoutePlan,
  type RouteTable,
  type RouteTrace,
  type VirtualHostPlan,
} from "./route-plan.ts";

/** One route: when it applies, and what it then does. @see envoy.config.route.v3.Route */
export interface RouteSpec {
  readonly path: PathSpec;
  /** Conditions beside the path: all must hold. */
  readonly conditions: readonly RoutePredicate[];
  /** Share of requests, 0 to 1, that may take this route (`runtime_fraction`). */
  readonly fraction: number;
  readonly plan: RoutePlan;
}

export interface VirtualHostSpec {
  readonly plan: VirtualHostPlan;
  readonly domains: readonly string[];
  readonly routes: readonly RouteSpec[];
  /** `require_tls`: which requests that came without TLS are redirected instead of routed. */
  readonly tlsRedirect: { readonly appliesTo: "all" | "external"; readonly plan: RoutePlan } | undefined;
}

export interface RouteTableSpec {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHostSpec[];
  readonly ignorePortInHost: boolean;
  /** `ignore_path_parameters_in_path_matching`. */
  readonly ignorePathParameters?: boolean;
}

/** Fewer routes than this are quicker to try one after the other. */
const indexThreshold = 8;

/** Reused by every match: matching is synchronous and never nested. */
const found = newCandidates();

/**
 * Compiles a route configuration. `onDuplicate` hears of domains claimed twice;
 * the first claim stands.
 */
export function compileRouteTable(
  spec: RouteTableSpec,
  onDuplicate: (domain: string, virtualHost: number, domainIndex: number) => void = () => {},
): RouteTable {
  const domains = new DomainIndex<VirtualHost>();
  spec.virtualHosts.forEach((host, hostIndex) => {
    const virtualHost = new VirtualHost(host, spec.ignorePathParameters ? pathEndBeforeParameters : pathEnd);
    host.domains.forEach((domain, domainIndex) => {
      if (!domains.add(domain, virtualHost)) onDuplicate(domain, hostIndex, domainIndex);
    });
  });
  const { ignorePortInHost } = spec;
  const hostOf = (request: RequestHead) =>
    ignorePortInHost ? withoutPort(request.authority) : request.authority;
  return {
    name: spec.name,
    match: (request, random, source) => domains.find(hostOf(request))?.match(request, random, source),
    trace(request, random, source) {
      const host = hostOf(request);
      return domains.find(host)?.trace(host, request, random, source) ?? noRouteTrace;
    },
  };
}

interface Entry {
  readonly path: PathPredicate;
  readonly conditions: readonly RoutePredicate[];
  readonly fraction: number;
  /** Made once, so that a match allocates nothing. */
  readonly match: RouteMatch;
}

class VirtualHost {
  readonly name: string;
  readonly #entries: readonly Entry[];
  /** Where the part of a path that routes match ends. */
  readonly #endOf: (path: string) => number;
  readonly #index: PathIndex | undefined;
  /** Routes the index cannot hold (expressions, ignored case): always candidates. */
  readonly #unindexed: readonly number[];
  readonly #domains: readonly string[];
  readonly #redirect: { readonly appliesTo: "all" | "external"; readonly match: RouteMatch } | undefined;

  constructor(spec: VirtualHostSpec, endOf: (path: string) => number) {
    const virtualHost = spec.plan;
    this.name = virtualHost.name;
    this.#endOf = endOf;
    this.#domains = spec.domains;
    this.#entries = spec.routes.map((route) => ({
      path: compilePath(route.path),
      conditions: route.conditions,
      fraction: route.fraction,
      match: { virtualHost, route: route.plan },
    }));
    this.#redirect = spec.tlsRedirect && {
      appliesTo: spec.tlsRedirect.appliesTo,
      match: { virtualHost, route: spec.tlsRedirect.plan },
    };
    const unindexed: number[] = [];
    if (spec.routes.length >= indexThreshold) {
      const index = new PathIndex();
      spec.routes.forEach(({ path }, i) => {
        if (path.kind === "regex" || !path.caseSensitive) unindexed.push(i);
        else index.add(path, i);
      });
      this.#index = index;
    }
    this.#unindexed = unindexed;
  }

  match(request: RequestHead, random: number, source: RouteSource | undefined): RouteMatch | undefined {
    if (this.#redirect && mustRedirect(request, this.#redirect.appliesTo)) return this.#redirect.match;
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
  trace(host: string, request: RequestHead, random: number, source: RouteSource | undefined): RouteTrace {
    const own = new DomainIndex<string>();
    for (const domain of this.#domains) own.add(domain, domain);
    const virtualHost = { name: this.name, domain: own.find(host)! };
    if (this.#redirect && mustRedirect(request, this.#redirect.appliesTo)) {
      return { virtualHost, misses: [], match: this.#redirect.match, index: undefined };
    }
    const end = this.#endOf(request.path);
    const misses: RouteMiss[] = [];
    for (const [index, entry] of this.#entries.entries()) {
      const failed = entry.path(request.path, end) ? failing(entry, request, random, source) : "path";
      if (failed === undefined) return { virtualHost, misses, match: entry.match, index };
      misses.push({ index, route: entry.match.route, failed });
    }
    return { virtualHost, misses, match: undefined, index: undefined };
  }
}

function mustRedirect(request: RequestHead, appliesTo: "all" | "external"): boolean {
  if ((request.headers.get("x-forwarded-proto") ?? request.scheme) === "https") return false;
  return appliesTo === "all" || request.headers.get("x-envoy-internal") !== "true";
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

function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(":");
  if (colon < 0 || authority.indexOf("]", colon) >= 0) return authority;
  if (authority.indexOf(":") !== colon && !authority.startsWith("[")) return authority;
  return authority.slice(0, colon);
}
