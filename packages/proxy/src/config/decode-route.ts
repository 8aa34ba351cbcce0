import type { Any } from "@bufbuild/protobuf/wkt";
import {
  type Route,
  VirtualHost_TlsRequirementType as TlsRequirement,
  type VirtualHost,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import type { CorsPolicy } from "../filters/cors.ts";
import type { RateLimitPolicy, RouteRateLimits } from "../filters/rate-limit/descriptors.ts";
import { overlayConfig } from "../layer/filter-chain.ts";
import type { HeaderEdits } from "../route/header-edits.ts";
import { OnDemandRouteTable } from "../route/on-demand-route-table.ts";
import { compileRedirect } from "../route/redirect.ts";
import type { RouteSpec } from "../route/route-list.ts";
import type { BodyLimit, RouteAction, RoutePlan, RouteTable, VirtualHostPlan } from "../route/route-plan.ts";
import { compileRouteTable, type RouteTableSpec, type VirtualHostSpec } from "../route/route-table.ts";
import type { DecodeFilterConfigs } from "./decode-cluster-choice.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeCorsPolicy } from "./decode-cors.ts";
import { decodeHeaderEdits, joinEdits } from "./decode-header-edits.ts";
import { decodePerFilterConfig } from "./decode-http-filters.ts";
import { decodeMirrors } from "./decode-mirrors.ts";
import { decodeVhds } from "./decode-on-demand.ts";
import { decodeRateLimits } from "./decode-rate-limits.ts";
import { decodeRetry } from "./decode-retry.ts";
import {
  decodeDirectResponse,
  decodeForward,
  decodeRedirect,
  type InheritedPolicies,
} from "./decode-route-action.ts";
import { decodeConditions, decodePathSpec } from "./decode-route-match.ts";
import { decodeDecorator, decodeRouteTracing } from "./decode-route-tracing.ts";
import { decodeFraction, originOf } from "./decode-values.ts";
import { decodeVirtualHostMatcher } from "./decode-virtual-host-matcher.ts";
import { at, atKey } from "./issues.ts";

/** More of one body is not kept, whatever is configured. */
const maxBodyLimitBytes = 256 * 1024 * 1024;

/** Edits and per-filter configuration that routes inherit from the levels above them. */
interface Level {
  readonly request: HeaderEdits | undefined;
  readonly response: HeaderEdits | undefined;
  readonly filterConfigs: ReadonlyMap<string, unknown> | undefined;
}

type TableLevel = Level & Pick<InheritedPolicies, "mirrors">;

interface Inherited extends InheritedPolicies {
  readonly table: Level;
  readonly host: Level;
  readonly mostSpecificWins: boolean;
  readonly hostLimits: readonly RateLimitPolicy[];
  readonly maxDirectBodyBytes: number | undefined;
}

/** Decodes a route configuration. What is wrong is in `context.issues`; the table is usable only without issues. */
export function decodeRouteConfiguration(
  config: RouteConfiguration,
  path: string,
  outer: DecodeContext,
): RouteTable {
  const context = contextOf(config, outer);
  const table = decodeTableLevel(config, path, context);
  const virtualHosts = config.virtualHosts.map((host, i) =>
    decodeVirtualHost(host, table, config, `${at(path, "virtual_hosts")}[${i}]`, context),
  );
  const names = new Set<string>();
  config.virtualHosts.forEach((host, i) => {
    if (names.has(host.name)) {
      context.issues.add(
        `${at(path, "virtual_hosts")}[${i}].name`,
        `'${host.name}' is taken by another virtual host`,
      );
    }
    names.add(host.name);
  });
  const spec: RouteTableSpec = {
    name: config.name,
    virtualHosts,
    ignorePortInHost: config.ignorePortInHostMatching,
    ignorePathParameters: config.ignorePathParametersInPathMatching,
  };
  const onDuplicate = (domain: string, host: number, index: number) => {
    context.issues.add(
      `${at(path, "virtual_hosts")}[${host}].domains[${index}]`,
      `domain '${domain}' is already claimed by another virtual host`,
      "each domain belongs to one virtual host",
    );
  };
  const onDemand = decodeVhds(config, path, context);
  return onDemand
    ? new OnDemandRouteTable(spec, onDemand, onDuplicate)
    : compileRouteTable(spec, onDuplicate);
}

/** Decodes a virtual host that comes by itself, as if it stood in the route configuration that it is of. */
export function decodeLoneVirtualHost(
  host: VirtualHost,
  config: RouteConfiguration,
  outer: DecodeContext,
): VirtualHostSpec {
  const context = contextOf(config, outer);
  return decodeVirtualHost(host, decodeTableLevel(config, "", context), config, "", context);
}

/** Clusters are known, and checked, in static configuration, unless it says otherwise. */
function contextOf({ validateClusters }: RouteConfiguration, outer: DecodeContext): DecodeContext {
  return (validateClusters ?? outer.knownClusters !== undefined)
    ? outer
    : { ...outer, knownClusters: undefined };
}

function decodeTableLevel(config: RouteConfiguration, path: string, context: DecodeContext): TableLevel {
  return {
    ...decodeLevel(config, path, context),
    mirrors: decodeMirrors(config.requestMirrorPolicies, at(path, "request_mirror_policies"), context),
  };
}

function decodeVirtualHost(
  host: VirtualHost,
  table: TableLevel,
  config: RouteConfiguration,
  path: string,
  context: DecodeContext,
): VirtualHostSpec {
  const { issues } = context;
  if (host.name === "") issues.add(at(path, "name"), "is empty", "name the virtual host");
  if (host.domains.length === 0) issues.add(at(path, "domains"), "is empty", 'use "*" for every host');
  host.domains.forEach((domain, i) => {
    const inner = domain.slice(1, -1);
    if (
      domain === "" ||
      inner.includes("*") ||
      (domain.length > 1 && domain.startsWith("*") && domain.endsWith("*"))
    ) {
      issues.add(
        `${at(path, "domains")}[${i}]`,
        `${JSON.stringify(domain)} is not a domain`,
        "a `*` may stand alone, first or last",
      );
    }
  });
  const inherited: Inherited = {
    table,
    host: decodeLevel(host, path, context),
    mostSpecificWins: config.mostSpecificHeaderMutationsWins,
    hostLimits: decodeRateLimits(host.rateLimits, at(path, "rate_limits"), context),
    retry: decodeRetry(host.retryPolicy, at(path, "retry_policy"), issues),
    hedge: host.hedgePolicy,
    mirrors:
      decodeMirrors(host.requestMirrorPolicies, at(path, "request_mirror_policies"), context) ??
      table.mirrors,
    bodyLimit: bodyLimitOf(host),
    maxDirectBodyBytes: config.maxDirectResponseBodySizeBytes,
  };
  const plan: VirtualHostPlan = {
    name: host.name,
    includesRequestAttemptCount: host.includeRequestAttemptCount,
    includesResponseAttemptCount: host.includeAttemptCountInResponse,
    includesTimeoutRetry: host.includeIsTimeoutRetryHeader,
  };
  const one = (route: Route, place: string) => decodeRoute(route, host, inherited, place, context);
  if (host.matcher && host.routes.length > 0) {
    issues.add(at(path, "matcher"), "stands beside `routes`", "put all routes into one of them");
  }
  return {
    plan,
    domains: host.domains,
    routes: host.routes.map((route, i) => one(route, `${at(path, "routes")}[${i}]`)),
    matcher:
      host.matcher &&
      decodeVirtualHostMatcher(
        host.matcher,
        at(path, "matcher"),
        {
          virtualHost: plan,
          ignoresParameters: config.ignorePathParametersInPathMatching,
          decodeRoute: one,
        },
        issues,
      ),
    tlsRedirect:
      host.requireTls === TlsRequirement.NONE
        ? undefined
        : {
            appliesTo: host.requireTls === TlsRequirement.ALL ? "all" : "external",
            plan: httpsRedirect,
          },
  };
}

const httpsRedirect: RoutePlan = {
  name: "",
  action: {
    kind: "redirect",
    status: 301,
    location: compileRedirect({
      scheme: "https",
      host: undefined,
      port: undefined,
      path: undefined,
      rewrite: undefined,
      stripQuery: false,
    }),
  },
  requestEdits: undefined,
  responseEdits: undefined,
  filterConfigs: undefined,
  origin: undefined,
};

function decodeRoute(
  route: Route,
  host: VirtualHost,
  inherited: Inherited,
  path: string,
  context: DecodeContext,
): RouteSpec {
  const own = decodeLevel(route, path, context);
  const levels = [own, inherited.host, inherited.table];
  const ordered = inherited.mostSpecificWins ? levels.reverse() : levels;
  const merged = mergeFilterConfigs(
    inherited.table.filterConfigs,
    inherited.host.filterConfigs,
    own.filterConfigs,
  );
  const ofCluster: DecodeFilterConfigs = (configs, place) => {
    const decoded = decodeFilterConfigs(configs, place, context);
    return decoded && mergeFilterConfigs(merged, decoded);
  };
  const plan: RoutePlan = {
    name: route.name,
    action: decodeAction(route, inherited, ofCluster, path, context),
    requestEdits: ordered.map((level) => level.request).reduce(joinEdits),
    responseEdits: ordered.map((level) => level.response).reduce(joinEdits),
    filterConfigs: merged,
    cors: decodeCorsLevels(route, host, path, context),
    rateLimits: decodeRouteLimits(route, inherited, path, context),
    metadata: route.metadata?.filterMetadata,
    tracing: route.tracing && decodeRouteTracing(route.tracing, at(path, "tracing"), context),
    decorator: decodeDecorator(route.decorator, at(path, "decorator"), context),
    origin: originOf(route.metadata),
  };
  const matchPath = at(path, "match");
  return {
    path: decodePathSpec(route.match, matchPath, context),
    conditions: decodeConditions(route.match, matchPath, context),
    fraction: decodeFraction(route.match?.runtimeFraction, context.runtime),
    plan,
  };
}

/** Undefined where neither route nor virtual host has limits. */
function decodeRouteLimits(
  { action }: Route,
  { hostLimits }: Inherited,
  path: string,
  context: DecodeContext,
): RouteRateLimits | undefined {
  const own = action.case === "route" ? action.value : undefined;
  const route = decodeRateLimits(own?.rateLimits ?? [], at(path, "route.rate_limits"), context);
  if (route.length === 0 && hostLimits.length === 0) return undefined;
  return { route, virtualHost: hostLimits, includesVirtualHost: own?.includeVhRateLimits ?? false };
}

/** The policies in the older place of the API; they count where the CORS filter's own are absent. */
function decodeCorsLevels(
  { action }: Route,
  host: VirtualHost,
  path: string,
  context: DecodeContext,
): readonly CorsPolicy[] | undefined {
  const own = action.case === "route" ? action.value.cors : undefined;
  const levels: CorsPolicy[] = [];
  if (host.cors) levels.push(decodeCorsPolicy(host.cors, at(path, "cors"), context));
  if (own) levels.push(decodeCorsPolicy(own, at(path, "route.cors"), context));
  return levels.length > 0 ? levels : undefined;
}

/** How much of a body a level lets be kept for another attempt. */
function bodyLimitOf(
  level: Pick<Route, "requestBodyBufferLimit" | "perRequestBufferLimitBytes">,
): BodyLimit | undefined {
  const { requestBodyBufferLimit, perRequestBufferLimitBytes } = level;
  if (requestBodyBufferLimit !== undefined) {
    return { bytes: Math.min(Number(requestBodyBufferLimit), maxBodyLimitBytes), replacesListeners: true };
  }
  if (perRequestBufferLimitBytes === undefined) return undefined;
  return { bytes: perRequestBufferLimitBytes, replacesListeners: false };
}

function decodeAction(
  route: Route,
  inherited: Inherited,
  ofCluster: DecodeFilterConfigs,
  path: string,
  context: DecodeContext,
): RouteAction {
  const { action, match } = route;
  switch (action.case) {
    case "route":
      return decodeForward(
        action.value,
        match,
        { ...inherited, bodyLimit: bodyLimitOf(route) ?? inherited.bodyLimit },
        ofCluster,
        at(path, "route"),
        context,
      );
    case "redirect":
      return decodeRedirect(action.value, match, at(path, "redirect"), context);
    case "directResponse":
      return decodeDirectResponse(
        action.value,
        inherited.maxDirectBodyBytes,
        at(path, "direct_response"),
        context,
      );
    default:
      context.issues.add(path, "needs one of `route`, `redirect`, `direct_response`");
      return { kind: "direct-response", status: 500, body: undefined };
  }
}

function decodeLevel(
  level: Pick<
    Route,
    | "requestHeadersToAdd"
    | "requestHeadersToRemove"
    | "responseHeadersToAdd"
    | "responseHeadersToRemove"
    | "typedPerFilterConfig"
  >,
  path: string,
  context: DecodeContext,
): Level {
  return {
    request: decodeHeaderEdits(
      level.requestHeadersToAdd,
      level.requestHeadersToRemove,
      path,
      "request",
      context,
    ),
    response: decodeHeaderEdits(
      level.responseHeadersToAdd,
      level.responseHeadersToRemove,
      path,
      "response",
      context,
    ),
    filterConfigs: decodeFilterConfigs(
      level.typedPerFilterConfig,
      at(path, "typed_per_filter_config"),
      context,
    ),
  };
}

function decodeFilterConfigs(
  configs: Readonly<Record<string, Any>>,
  path: string,
  context: DecodeContext,
): ReadonlyMap<string, unknown> | undefined {
  const decoded = Object.entries(configs)
    .map(([name, config]) => [name, decodePerFilterConfig(config, atKey(path, name), context)] as const)
    .filter(([, config]) => config !== undefined);
  return decoded.length > 0 ? new Map(decoded) : undefined;
}

/** Later levels overlay earlier ones, filter by filter. */
function mergeFilterConfigs(
  ...levels: readonly (ReadonlyMap<string, unknown> | undefined)[]
): ReadonlyMap<string, unknown> | undefined {
  const present = levels.filter((level) => level !== undefined);
  if (present.length <= 1) return present[0];
  const merged = new Map<string, unknown>();
  for (const level of present) {
    for (const [name, config] of level) merged.set(name, overlayConfig(merged.get(name), config));
  }
  return merged;
}
