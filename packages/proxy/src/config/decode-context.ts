import type { FaultPlan } from "../filters/fault-plan.ts";
import type { RbacPlan } from "../filters/rbac-plan.ts";
import type { AccessLog } from "../layer/access-log.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import type { HeaderValue } from "../route/header-edits.ts";
import type { RouteTable } from "../route/route-plan.ts";
import type { AccessLogPlan } from "./access-log-plan.ts";
import type { IstioStatsSettings } from "./decode-istio-stats.ts";
import type { Issues } from "./issues.ts";
import type { TlsContexts } from "./tls-contexts.ts";

/** The route table in force under a name; RDS replaces `current`. */
export interface RouteHolder {
  current: RouteTable | undefined;
}

/** What a decoded resource refers to and therefore waits for. */
export interface Needs {
  /** Names of route configurations. */
  readonly routes: Set<string>;
  /** Keys of `SecretRef`s. */
  readonly secrets: Set<string>;
}

export function noNeeds(): Needs {
  return { routes: new Set(), secrets: new Set() };
}

/** Makes filters and loggers out of plans; the composition root knows the implementations. */
export interface Factories {
  rbac(plan: RbacPlan, filterName: string, statPrefix: string): HttpFilter;
  rbacRoute(plan: RbacPlan | undefined): unknown;
  networkRbac(plan: RbacPlan, filterName: string, statPrefix: string): NetworkFilter;
  fault(plan: FaultPlan, filterName: string, statPrefix: string): HttpFilter;
  faultRoute(plan: FaultPlan): unknown;
  istioStats(settings: IstioStatsSettings, filterName: string, direction: Direction): HttpFilter;
  istioTcpStats(settings: IstioStatsSettings, filterName: string, direction: Direction): NetworkFilter;
  accessLog(plan: AccessLogPlan): AccessLog;
  /** A header value with command operators; throws a `SyntaxError` for an unknown operator. */
  headerValue(format: string): HeaderValue;
}

export type Direction = "inbound" | "outbound" | "unspecified";

/** Everything a decoder needs besides the message: where to report, and what to resolve against. */
export interface DecodeContext {
  readonly issues: Issues;
  readonly factories: Factories;
  readonly tls: TlsContexts;
  readonly needs: Needs;
  /** The holder of a route configuration that RDS delivers. */
  routeHolder(name: string): RouteHolder;
  /** Given where a route to a cluster that does not exist is a mistake: in static configuration. */
  readonly knownClusters: ReadonlySet<string> | undefined;
  /** Clusters the xDS client dials itself, which therefore may speak HTTP/2; undefined allows none. */
  readonly managementClusters: ReadonlySet<string> | undefined;
  /** Clusters of the bootstrap, which SDS may be asked through. */
  readonly staticClusters: ReadonlySet<string>;
  /** Whether there is an ADS server to get routes, endpoints and secrets from. */
  readonly hasAds: boolean;
  /** Values of the static runtime layers. */
  readonly runtime: ReadonlyMap<string, unknown>;
}
