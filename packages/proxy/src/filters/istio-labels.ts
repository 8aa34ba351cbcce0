import type { DownstreamConnection, PeerMetadata } from "../layer/downstream-connection.ts";
import type { Exchange } from "../layer/exchange.ts";
import { formatResponseFlags } from "../layer/response-flag.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import { parseEndpointWorkload } from "../telemetry/peer-metadata.ts";
import type { IstioStatsPlan, ServiceName } from "./istio-stats-plan.ts";

/** Who called whom: the labels that messages of gRPC calls have, and all others begin with. */
export const partyLabelNames = [
  "reporter",
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "source_workload_namespace",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
  "destination_workload",
  "destination_workload_namespace",
  "destination_principal",
  "destination_app",
  "destination_version",
  "destination_service",
  "destination_canonical_service",
  "destination_canonical_revision",
  "destination_service_name",
  "destination_service_namespace",
  "destination_cluster",
] as const;

/** The labels of connections and requests, in the order Istio prints them. */
export const commonLabelNames = [
  ...partyLabelNames,
  "request_protocol",
  "response_flags",
  "connection_security_policy",
] as const;

export const httpLabelNames = [...commonLabelNames, "response_code", "grpc_response_status"] as const;

/** Who called whom, of which service: everything the labels say that does not change from call to call. */
export interface Parties {
  readonly source: PeerMetadata | undefined;
  readonly destination: PeerMetadata | undefined;
  readonly sourcePrincipal: string;
  readonly destinationPrincipal: string;
  readonly service: ServiceName;
  readonly security: string;
}

const unknown = "unknown";

/** The principal a certificate stands for: its first URI name, a SPIFFE ID in a mesh. */
export function principalOf(peer: PeerIdentity | undefined): string {
  return peer?.uris[0] ?? "";
}

export function resolveParties(plan: IstioStatsPlan, exchange: Exchange): Parties {
  const { connection, endpoint } = exchange;
  if (plan.reporter === "source") {
    const workload = endpoint?.plan.metadata.get("istio")?.get("workload");
    const peerPrincipal = principalOf(exchange.upstreamPeer);
    return {
      source: plan.local,
      destination: workload === undefined ? undefined : parseEndpointWorkload(workload),
      sourcePrincipal: peerPrincipal === "" ? "" : (plan.localPrincipal?.() ?? ""),
      destinationPrincipal: peerPrincipal,
      service: resolveService(plan, exchange),
      security: unknown,
    };
  }
  return {
    source: connection.peerMetadata,
    destination: plan.local,
    sourcePrincipal: principalOf(connection.peer),
    destinationPrincipal: connection.peer ? (connection.ownUris[0] ?? "") : "",
    service: resolveService(plan, exchange),
    security: isMutualTls(connection) ? "mutual_tls" : "none",
  };
}

function isMutualTls(connection: DownstreamConnection): boolean {
  return connection.isTls && connection.peer !== undefined;
}

/** Whether the service's name comes from the request rather than from configuration. */
export function usesHostFallback(plan: IstioStatsPlan, exchange: Exchange): boolean {
  return configuredService(plan, exchange) === undefined && !plan.isHostHeaderFallbackDisabled;
}

function resolveService(plan: IstioStatsPlan, exchange: Exchange): ServiceName {
  const configured = configuredService(plan, exchange);
  if (configured) return configured;
  const host = plan.isHostHeaderFallbackDisabled ? "" : (exchange.request?.authority ?? "");
  return unknownService(host, exchange.match?.route.name, exchange.cluster?.name);
}

/**
 * What Istio calls the service of a call to a host that the mesh does not know:
 * `BlackHoleCluster` where it is refused, `PassthroughCluster` where it leaves,
 * which requests tell by their route and connections by their cluster.
 */
export function unknownService(
  host: string,
  route: string | undefined,
  cluster: string | undefined,
): ServiceName {
  const byRoute = route === undefined ? undefined : unknownServiceNames.get(route);
  return { host, name: byRoute ?? (cluster || host), namespace: "" };
}

const unknownServiceNames: ReadonlyMap<string, string> = new Map([
  ["block_all", "BlackHoleCluster"],
  ["allow_any", "PassthroughCluster"],
]);

function configuredService(plan: IstioStatsPlan, exchange: Exchange): ServiceName | undefined {
  const cluster = exchange.cluster;
  if (cluster?.plan.service) return cluster.plan.service;
  if (plan.reporter === "destination" && plan.localService) return plan.localService;
  return cluster && serviceOfClusterName(cluster.name);
}

/** `outbound|9080|v1|reviews.default.svc.cluster.local` names its service. */
function serviceOfClusterName(name: string): ServiceName | undefined {
  const [direction, , , host] = name.split("|");
  if (direction !== "outbound" || !host) return undefined;
  const inCluster = /^([^.]+)\.([^.]+)\.svc\./.exec(host);
  return { host, name: inCluster?.[1] ?? host, namespace: inCluster?.[2] ?? "" };
}

export function commonLabels(
  plan: Pick<IstioStatsPlan, "reporter">,
  parties: Parties,
  protocol: string,
  flags: number,
): string[] {
  const { source, destination, service } = parties;
  return [
    plan.reporter,
    source?.workload || unknown,
    source?.canonicalName || unknown,
    source?.canonicalRevision || "latest",
    source?.namespace || unknown,
    parties.sourcePrincipal || unknown,
    source?.app || unknown,
    source?.version || unknown,
    source?.cluster || unknown,
    destination?.workload || unknown,
    destination?.namespace || unknown,
    parties.destinationPrincipal || unknown,
    destination?.app || unknown,
    destination?.version || unknown,
    service.host || unknown,
    destination?.canonicalName || unknown,
    destination?.canonicalRevision || "latest",
    service.name || unknown,
    service.namespace || destination?.namespace || unknown,
    destination?.cluster || unknown,
    protocol,
    formatResponseFlags(flags),
    parties.security,
  ];
}
