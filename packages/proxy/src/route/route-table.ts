import type { RequestHead } from "../layer/message.ts";
import type { MatchTree } from "../matching/match-tree.ts";
import { DomainIndex } from "./domain-index.ts";
import { RouteList, type RouteSpec } from "./route-list.ts";
import {
  noRouteTrace,
  type RouteMatch,
  type RoutePlan,
  type RouteTable,
  type RouteTrace,
  type VirtualHostPlan,
} from "./route-plan.ts";
import type { RouteSource } from "./route-predicate.ts";

export interface VirtualHostSpec {
  readonly plan: VirtualHostPlan;
  readonly domains: readonly string[];
  readonly routes: readonly RouteSpec[];
  /** Chooses the routes that are tried, instead of `routes`. */
  readonly matcher?: MatchTree<RouteList> | undefined;
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
    const virtualHost = compileVirtualHost(host, spec);
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

export function compileVirtualHost(
  host: VirtualHostSpec,
  { ignorePathParameters = false }: Pick<RouteTableSpec, "ignorePathParameters">,
): VirtualHost {
  return new VirtualHost(host, ignorePathParameters);
}

export class VirtualHost {
  readonly name: string;
  /** Undefined where a matcher chooses the routes. */
  readonly #routes: RouteList | undefined;
  readonly #matcher: MatchTree<RouteList> | undefined;
  readonly #domains: readonly string[];
  readonly #redirect: { readonly appliesTo: "all" | "external"; readonly match: RouteMatch } | undefined;

  constructor(spec: VirtualHostSpec, ignoresParameters: boolean) {
    const virtualHost = spec.plan;
    this.name = virtualHost.name;
    this.#domains = spec.domains;
    this.#matcher = spec.matcher;
    this.#routes = spec.matcher ? undefined : new RouteList(spec.routes, virtualHost, ignoresParameters);
    this.#redirect = spec.tlsRedirect && {
      appliesTo: spec.tlsRedirect.appliesTo,
      match: { virtualHost, route: spec.tlsRedirect.plan },
    };
  }

  match(request: RequestHead, random: number, source: RouteSource | undefined): RouteMatch | undefined {
    if (this.#redirect && mustRedirect(request, this.#redirect.appliesTo)) return this.#redirect.match;
    if (this.#routes) return this.#routes.match(request, random, source);
    return source && this.#matcher?.(source.connection, source)?.match(request, random, source);
  }

  /** As `match`. Of what a matcher came to no place in the configuration is told. */
  trace(host: string, request: RequestHead, random: number, source: RouteSource | undefined): RouteTrace {
    const own = new DomainIndex<string>();
    for (const domain of this.#domains) own.add(domain, domain);
    const virtualHost = { name: this.name, domain: own.find(host)! };
    const isRedirected = this.#redirect && mustRedirect(request, this.#redirect.appliesTo);
    if (!isRedirected && this.#routes) {
      return { virtualHost, ...this.#routes.trace(request, random, source) };
    }
    return { virtualHost, misses: [], match: this.match(request, random, source), index: undefined };
  }
}

function mustRedirect(request: RequestHead, appliesTo: "all" | "external"): boolean {
  if ((request.headers.get("x-forwarded-proto") ?? request.scheme) === "https") return false;
  return appliesTo === "all" || request.headers.get("x-envoy-internal") !== "true";
}

export function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(":");
  if (colon < 0 || authority.indexOf("]", colon) >= 0) return authority;
  if (authority.indexOf(":") !== colon && !authority.startsWith("[")) return authority;
  return authority.slice(0, colon);
}
