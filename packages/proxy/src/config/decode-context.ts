import type { Clock } from "@weft/base/clock";
import type { Callouts } from "../filters/callout.ts";
import type { ServerHealth } from "../filters/health-check.ts";
import type { IstioStatsPlan, IstioStatsSettings } from "../filters/istio-stats-plan.ts";
import type { ModuleRunners } from "../filters/module/module-runners.ts";
import type { RbacPlan } from "../filters/rbac-plan.ts";
import type { AccessLog } from "../layer/access-log.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import type { ResourceDiscovery } from "../layer/resource-discovery.ts";
import type { HeaderValue } from "../route/header-edits.ts";
import type { RouteTable } from "../route/route-plan.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { AccessLogFormat, AccessLogPlan } from "./access-log-plan.ts";
import type { Issues } from "./issues.ts";
import type { TlsContexts } from "./tls-contexts.ts";

/** The route table in force under a name; RDS replaces `current`. */
export interface RouteHolder {
  current: RouteTable | undefined;
}

/** What a decoded resource refers to and therefore waits for. */
export interface Needs {
  /** Route configurations, as `sourcedKey` writes them. */
  readonly routes: Set<string>;
  /** Secrets, in the same way. */
  readonly secrets: Set<string>;
  /** How long the source of each is waited for, in milliseconds; 0 is for ever. */
  readonly fetchTimeoutsMs: Set<number>;
}

export function noNeeds(): Needs {
  return { routes: new Set(), secrets: new Set(), fetchTimeoutsMs: new Set() };
}

/** How long all of it is waited for: as long as for the slowest source. 0 is for ever. */
export function waitMs({ fetchTimeoutsMs }: Needs): number {
  return fetchTimeoutsMs.has(0) ? 0 : Math.max(0, ...fetchTimeoutsMs);
}

/** What HTTP filters are made with: nothing of it is a filter's own. */
export interface FilterServices {
  readonly clock: Clock;
  readonly stats: EnvoyStats;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The cluster this proxy is one of, by its node. */
  readonly localCluster: string;
  /** How this proxy itself is. */
  readonly serverHealth: ServerHealth;
  /** Asks for clusters that requests need. */
  readonly clusterDiscovery: ResourceDiscovery;
  /** Asks for virtual hosts that requests need. */
  readonly hostDiscovery: ResourceDiscovery;
  /** Requests of the proxy's own to its clusters. */
  readonly callouts: Callouts;
  /** Modules of users that are filters. */
  readonly modules: ModuleRunners;
  /** Who this proxy is; "" for what the bootstrap does not say. */
  readonly node: {
    readonly id: string;
    readonly cluster: string;
    readonly zone: string;
    readonly metadata: Readonly<Record<string, unknown>>;
  };
  /** Completes what was configured of Istio's metrics with who this proxy is. */
  istioPlan(settings: IstioStatsSettings, direction: Direction): IstioStatsPlan;
}

/** Makes network filters and loggers out of plans; the composition root knows the implementations. */
export interface Factories {
  networkRbac(plan: RbacPlan, filterName: string, statPrefix: string): NetworkFilter;
  istioTcpStats(settings: IstioStatsSettings, filterName: string, direction: Direction): NetworkFilter;
  accessLog(plan: AccessLogPlan): AccessLog;
  /** A body with command operators; throws a `SyntaxError` for an unknown operator. */
  bodyFormat(format: AccessLogFormat): (exchange: Exchange) => string;
  /** A header value with command operators; throws a `SyntaxError` for an unknown operator. */
  headerValue(format: string): HeaderValue;
}

export type Direction = "inbound" | "outbound" | "unspecified";

/** Everything a decoder needs besides the message: where to report, and what to resolve against. */
export interface DecodeContext {
  readonly issues: Issues;
  readonly factories: Factories;
  readonly services: FilterServices;
  readonly tls: TlsContexts;
  readonly needs: Needs;
  /** The holder of a route configuration that RDS delivers, by its key. */
  routeHolder(key: string): RouteHolder;
  /** Given where a route to a cluster that does not exist is a mistake: in static configuration. */
  readonly knownClusters: ReadonlySet<string> | undefined;
  /** Clusters the xDS client dials itself, which therefore may speak HTTP/2; undefined allows none. */
  readonly managementClusters: ReadonlySet<string> | undefined;
  /** Clusters of the bootstrap, which SDS may be asked through. */
  readonly staticClusters: ReadonlySet<string>;
  /** Whether there is an ADS server to get routes, endpoints and secrets from. */
  readonly hasAds: boolean;
  /** Whether that is asked by delta xDS. */
  readonly isAdsDelta: boolean;
  /** Values of the static runtime layers. */
  readonly runtime: ReadonlyMap<string, unknown>;
}
