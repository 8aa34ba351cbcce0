import { X509Certificate } from "node:crypto";
import type { Clock } from "@weft/base/clock";
import type { Node } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { createFaultFilter, faultStats } from "../filters/fault.ts";
import { createIstioStatsFilter, createIstioTcpStatsFilter } from "../filters/istio-stats.ts";
import type { IstioStatsPlan, ServiceName } from "../filters/istio-stats-plan.ts";
import { compileRbacRoute, createNetworkRbacFilter, createRbacFilter } from "../filters/rbac.ts";
import { httpRbacStats, networkRbacStats } from "../filters/rbac-stats.ts";
import type { AccessLogs } from "../telemetry/access-log.ts";
import { compileHeaderValue } from "../telemetry/access-log-format.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { localPeerMetadata } from "../telemetry/peer-metadata.ts";
import type { Direction, Factories } from "./decode-context.ts";
import type { IstioStatsSettings } from "./decode-istio-stats.ts";
import type { TlsContexts } from "./tls-contexts.ts";

export interface FactoryDependencies {
  readonly clock: Clock;
  readonly stats: EnvoyStats;
  readonly accessLogs: AccessLogs;
  readonly tls: TlsContexts;
  readonly node: Node | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** The implementations of everything configuration can ask for. */
export function createFactories(deps: FactoryDependencies): Factories {
  const { clock, stats, random } = deps;
  const identity = istioIdentity(deps);
  const istioPlan = (settings: IstioStatsSettings, direction: Direction): IstioStatsPlan => ({
    ...identity,
    ...settings,
    reporter: direction === "inbound" ? "destination" : "source",
  });
  return {
    rbac: (plan, name, statPrefix) =>
      createRbacFilter(
        plan,
        httpRbacStats(stats, statPrefix, plan.rulesStatPrefix, plan.shadowRulesStatPrefix),
        name,
      ),
    rbacRoute: compileRbacRoute,
    networkRbac: (plan, name, statPrefix) =>
      createNetworkRbacFilter(
        plan,
        networkRbacStats(stats, statPrefix, plan.rulesStatPrefix, plan.shadowRulesStatPrefix),
        name,
      ),
    fault: (plan, name, statPrefix) =>
      createFaultFilter(plan, { clock, random, stats: faultStats(stats, statPrefix) }, name),
    faultRoute: (plan) => plan,
    istioStats: (settings, name, direction) =>
      createIstioStatsFilter(istioPlan(settings, direction), stats.registry, name),
    istioTcpStats: (settings, name, direction) =>
      createIstioTcpStatsFilter(istioPlan(settings, direction), stats.registry, name),
    accessLog: (plan) => deps.accessLogs.create(plan),
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
