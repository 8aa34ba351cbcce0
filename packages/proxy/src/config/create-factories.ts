import { X509Certificate } from "node:crypto";
import type { Clock } from "@weft/base/clock";
import type { Node } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { Callouts } from "../filters/callout.ts";
import type { ServerHealth } from "../filters/health-check.ts";
import { createIstioTcpStatsFilter } from "../filters/istio-stats.ts";
import type { ServiceName } from "../filters/istio-stats-plan.ts";
import { ModuleRunners } from "../filters/module/module-runners.ts";
import { createNetworkRbacFilter } from "../filters/rbac.ts";
import { networkRbacStats } from "../filters/rbac-stats.ts";
import type { ResourceDiscovery } from "../layer/resource-discovery.ts";
import { type AccessLogs, compileFormat } from "../telemetry/access-log.ts";
import { compileHeaderValue } from "../telemetry/access-log-format.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { localPeerMetadata } from "../telemetry/peer-metadata.ts";
import type { Factories, FilterServices } from "./decode-context.ts";
import type { TlsContexts } from "./tls-contexts.ts";

export interface FactoryDependencies {
  readonly clock: Clock;
  readonly stats: EnvoyStats;
  readonly accessLogs: AccessLogs;
  readonly tls: TlsContexts;
  readonly node: Node | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly clusterDiscovery: ResourceDiscovery;
  readonly hostDiscovery: ResourceDiscovery;
  readonly callouts: Callouts;
  readonly serverHealth: ServerHealth;
  /** Of one of Istio's metrics; undefined: as usual. */
  readonly maxSeries?: number | undefined;
  /** For operators. */
  warn(message: string): void;
}

/** What HTTP filters of this process are made with. */
export function createFilterServices(deps: FactoryDependencies): FilterServices {
  const identity = istioIdentity(deps);
  return {
    clock: deps.clock,
    stats: deps.stats,
    random: deps.random,
    localCluster: deps.node?.cluster ?? "",
    clusterDiscovery: deps.clusterDiscovery,
    hostDiscovery: deps.hostDiscovery,
    callouts: deps.callouts,
    modules: new ModuleRunners(deps),
    node: {
      id: deps.node?.id ?? "",
      cluster: deps.node?.cluster ?? "",
      zone: deps.node?.locality?.zone ?? "",
      metadata: deps.node?.metadata ?? {},
    },
    serverHealth: deps.serverHealth,
    istioPlan: (settings, direction) => ({
      ...identity,
      maxSeries: deps.maxSeries,
      ...settings,
      reporter: direction === "inbound" ? "destination" : "source",
    }),
  };
}

/** The implementations of network filters and loggers configuration can ask for. */
export function createFactories(deps: FactoryDependencies, services: FilterServices): Factories {
  const { stats } = deps;
  return {
    networkRbac: (plan, name, statPrefix) =>
      createNetworkRbacFilter(
        plan,
        networkRbacStats(stats, statPrefix, plan.rulesStatPrefix, plan.shadowRulesStatPrefix),
        name,
      ),
    istioTcpStats: (settings, name, direction) =>
      createIstioTcpStatsFilter(services.istioPlan(settings, direction), stats.registry, deps.clock, name),
    accessLog: (plan) => deps.accessLogs.create(plan),
    bodyFormat: compileFormat,
    headerValue: compileHeaderValue,
  };
}

function istioIdentity({ node, tls }: FactoryDependencies) {
  const metadata = node?.metadata ?? {};
  const local = localPeerMetadata(metadata);
  return {
    local,
    localService: localService(node),
    nodeId: node?.id ?? "",
    localPrincipal: () => ownPrincipal(tls),
  };
}

/** The service this workload registered as, from its node metadata and the domain in its node id. */
function localService(node: Node | undefined): ServiceName | undefined {
  const name = node?.metadata?.SERVICE;
  const namespace = node?.metadata?.NAMESPACE;
  if (typeof name !== "string" || typeof namespace !== "string" || name === "") return undefined;
  const domain = node?.id.split("~")[3] || `${namespace}.svc.cluster.local`;
  return { host: `${name}.${domain}`, name, namespace };
}

const principals = new WeakMap<Buffer, string>();

/** The first URI name of our own certificate; read once for each certificate. */
function ownPrincipal(tls: TlsContexts): string {
  for (const secret of tls.certificates()) {
    if (secret.kind !== "certificate") continue;
    const { chain } = secret.certificate;
    let principal = principals.get(chain);
    if (principal === undefined) {
      principal = /URI:([^,]+)/.exec(new X509Certificate(chain).subjectAltName ?? "")?.[1] ?? "";
      principals.set(chain, principal);
    }
    return principal;
  }
  return "";
}
