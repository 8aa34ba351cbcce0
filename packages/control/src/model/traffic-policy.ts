import type {
  ClientTlsSpec,
  ConnectionPoolSpec,
  LoadBalancerSpec,
  PortPolicySpec,
  TrafficPolicySpec,
} from "../config/destination-rule-specs.ts";
import { parseDurationMs } from "../config/values.ts";
import { type Balancer, buildBalancer } from "./balancer.ts";
import { buildLocalityPolicy, buildZoneAwarePolicy, type LocalityPolicy } from "./locality-policy.ts";
import type { Provenance } from "./provenance.ts";

/** How callers treat a service's endpoints; undefined parts take the mesh's default. */
export interface TrafficPolicy extends PortPolicy {
  /** By service port; a part named here replaces the whole part above. */
  readonly ports: readonly (PortPolicy & { readonly port: number })[];
}

export interface PortPolicy {
  readonly connectionPool: ConnectionPool | undefined;
  readonly balancer: Balancer | undefined;
  /** Of the same resource as the balancer. Undefined: as the service or the mesh says. */
  readonly locality: LocalityPolicy | undefined;
  readonly outlier: OutlierPolicy | undefined;
  readonly tls: ClientTls | undefined;
  readonly retryBudget: { readonly percent: number; readonly minConcurrency: number } | undefined;
  /** The version of the PROXY header that connections begin with. */
  readonly proxyProtocol: "V1" | "V2" | undefined;
  /** TCP connections are asked for through the service, an HTTP proxy, which makes them. */
  readonly tunnel: Tunnel | undefined;
}

export interface Tunnel {
  readonly method: "CONNECT" | "POST";
  readonly host: string;
  readonly port: number;
}

/** What a policy says nothing about. */
export const noPolicy: PortPolicy = {
  connectionPool: undefined,
  balancer: undefined,
  locality: undefined,
  outlier: undefined,
  tls: undefined,
  retryBudget: undefined,
  proxyProtocol: undefined,
  tunnel: undefined,
};

export interface ConnectionPool {
  readonly maxConnections: number | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly maxPendingRequests: number | undefined;
  readonly maxRequests: number | undefined;
  readonly maxRequestsPerConnection: number | undefined;
  readonly maxRetries: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  /** Whether HTTP/1.1 requests travel as HTTP/2; `as-client`: each as it came. Undefined leaves it to what both ends can. */
  readonly http2Upgrade: Http2Upgrade | "as-client" | undefined;
  readonly maxConcurrentStreams: number | undefined;
  /** Pings that tell whether an HTTP/2 connection still works. */
  readonly http2KeepAlive: { readonly intervalMs: number; readonly timeoutMs: number } | undefined;
  /** Undefined parts take the system's settings. */
  readonly tcpKeepalive: TcpKeepalive | undefined;
  /** Of TCP connections; 0 lets them be idle for ever. */
  readonly tcpIdleTimeoutMs: number | undefined;
  readonly maxConnectionDurationMs: number | undefined;
}

export type Http2Upgrade = "always" | "never";

export interface TcpKeepalive {
  readonly probes: number | undefined;
  readonly timeSeconds: number | undefined;
  readonly intervalSeconds: number | undefined;
}

export interface OutlierPolicy {
  readonly consecutive5xx: number | undefined;
  readonly consecutiveGatewayErrors: number | undefined;
  readonly consecutiveLocalOriginFailures: number | undefined;
  readonly splitsLocalOrigin: boolean;
  readonly intervalMs: number | undefined;
  readonly baseEjectionMs: number | undefined;
  readonly maxEjectionPercent: number | undefined;
  readonly minHealthPercent: number | undefined;
  /** The statuses that are errors of an endpoint, and no others; undefined: those of a server's errors. */
  readonly errorCodes: readonly number[] | undefined;
}

export type ClientTls = Readonly<ClientTlsSpec> & {
  readonly mode: NonNullable<ClientTlsSpec["mode"]>;
  /** What verifies the server, in place of a file. */
  readonly rootsPem?: string;
  /** What would verify the server is not there, and so nobody may be talked to. */
  readonly isUnverifiable?: true;
  /** A gateway that has a certificate for its backends shows it. */
  readonly showsGatewayCertificate?: true;
  /** Where it was written, if not in the DestinationRule. */
  readonly source?: Provenance;
};

/** TLS of one port of a service, whatever a DestinationRule says of it. */
export interface BackendTls {
  readonly port: number;
  readonly tls: ClientTls;
}

/** The policy in force for one port: a subset's over the service's, a port's over the general one, part by part. */
export function policyFor(
  port: number,
  service: TrafficPolicy | undefined,
  subset?: TrafficPolicy,
): PortPolicy {
  const layers = [
    subset?.ports.find((p) => p.port === port),
    subset,
    service?.ports.find((p) => p.port === port),
    service,
  ];
  const first = <K extends keyof PortPolicy>(part: K) =>
    layers.find((layer) => layer?.[part] !== undefined)?.[part];
  return {
    connectionPool: first("connectionPool"),
    balancer: first("balancer"),
    // As Istio: what is written of a load balancer replaces all of a wider one.
    locality: layers.find((layer) => layer?.balancer !== undefined)?.locality,
    outlier: first("outlier"),
    tls: first("tls"),
    retryBudget: first("retryBudget"),
    proxyProtocol: first("proxyProtocol"),
    tunnel: first("tunnel"),
  };
}

export function buildTrafficPolicy(spec: TrafficPolicySpec | undefined): TrafficPolicy | undefined {
  if (!spec) return undefined;
  const { retryBudget: budget, tunnel } = spec;
  return {
    ...portPolicy(spec),
    retryBudget: budget && { percent: budget.percent ?? 20, minConcurrency: budget.minRetryConcurrency ?? 3 },
    proxyProtocol: spec.proxyProtocol && (spec.proxyProtocol.version ?? "V1"),
    tunnel: tunnel && {
      method: tunnel.protocol === "POST" ? "POST" : "CONNECT",
      host: tunnel.targetHost,
      port: tunnel.targetPort,
    },
    ports: (spec.portLevelSettings ?? [])
      .map((settings) => ({ port: settings.port!.number!, ...portPolicy(settings) }))
      .sort((a, b) => a.port - b.port),
  };
}

/** The policy of a service whose clients keep their endpoint, unless a DestinationRule chooses otherwise. */
export function withAffinity(policy: TrafficPolicy | undefined): TrafficPolicy {
  return {
    ...noPolicy,
    ports: [],
    ...policy,
    balancer: policy?.balancer ?? buildBalancer({ consistentHash: { useSourceIp: true } }),
  };
}

/** With TLS of some ports, whatever else is said of it. */
export function withBackendTls(
  policy: TrafficPolicy | undefined,
  backendTls: readonly BackendTls[],
): TrafficPolicy {
  const written = policy ?? { ...noPolicy, ports: [] };
  const ports = new Map(written.ports.map((own) => [own.port, own]));
  for (const { port, tls } of backendTls) ports.set(port, { ...noPolicy, port, ...ports.get(port), tls });
  return { ...written, ports: [...ports.values()].sort((a, b) => a.port - b.port) };
}

function portPolicy(spec: PortPolicySpec): PortPolicy {
  return {
    ...noPolicy,
    connectionPool: spec.connectionPool && buildConnectionPool(spec.connectionPool),
    balancer: spec.loadBalancer && buildBalancer(spec.loadBalancer),
    locality: spec.loadBalancer && localityOf(spec.loadBalancer),
    outlier: spec.outlierDetection && outlierPolicy(spec.outlierDetection),
    tls: spec.tls && { ...spec.tls, mode: spec.tls.mode ?? "DISABLE" },
  };
}

/** @see istio.networking.v1.ConnectionPoolSettings.HTTPSettings.H2UpgradePolicy */
export const http2Upgrades: Readonly<Record<string, Http2Upgrade | undefined>> = {
  UPGRADE: "always",
  DO_NOT_UPGRADE: "never",
};

export function buildConnectionPool({ tcp, http }: ConnectionPoolSpec): ConnectionPool {
  return {
    maxConnections: tcp?.maxConnections,
    connectTimeoutMs: durationMs(tcp?.connectTimeout),
    maxPendingRequests: http?.http1MaxPendingRequests,
    maxRequests: http?.http2MaxRequests,
    maxRequestsPerConnection: http?.maxRequestsPerConnection,
    maxRetries: http?.maxRetries,
    idleTimeoutMs: durationMs(http?.idleTimeout ?? tcp?.idleTimeout),
    http2Upgrade: http?.useClientProtocol ? "as-client" : http2Upgrades[http?.h2UpgradePolicy ?? "DEFAULT"],
    maxConcurrentStreams: http?.maxConcurrentStreams || undefined,
    http2KeepAlive: http?.http2KeepAlive && {
      intervalMs: durationMs(http.http2KeepAlive.interval)!,
      timeoutMs: durationMs(http.http2KeepAlive.timeout)!,
    },
    tcpKeepalive: tcp?.tcpKeepalive && {
      probes: tcp.tcpKeepalive.probes || undefined,
      timeSeconds: wholeSeconds(tcp.tcpKeepalive.time),
      intervalSeconds: wholeSeconds(tcp.tcpKeepalive.interval),
    },
    tcpIdleTimeoutMs: durationMs(tcp?.idleTimeout),
    maxConnectionDurationMs: durationMs(tcp?.maxConnectionDuration),
  };
}

function outlierPolicy(spec: NonNullable<PortPolicySpec["outlierDetection"]>): OutlierPolicy {
  const { outlierDetectionHttpErrorCodes: codes = [] } = spec;
  return {
    consecutive5xx: spec.consecutive5xxErrors,
    consecutiveGatewayErrors: spec.consecutiveGatewayErrors,
    consecutiveLocalOriginFailures: spec.consecutiveLocalOriginFailures,
    splitsLocalOrigin: spec.splitExternalLocalOriginErrors ?? false,
    intervalMs: durationMs(spec.interval),
    baseEjectionMs: durationMs(spec.baseEjectionTime),
    maxEjectionPercent: spec.maxEjectionPercent,
    minHealthPercent: spec.minHealthPercent,
    errorCodes: codes.length > 0 ? [...new Set(codes)] : undefined,
  };
}

function wholeSeconds(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Math.floor(durationMs(text)! / 1000) || undefined;
}

/** Durations were checked when the resource was read. */
function durationMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationMs(text);
}

function localityOf({ localityLbSetting, zoneAwareLbSetting }: LoadBalancerSpec): LocalityPolicy | undefined {
  if (zoneAwareLbSetting) return buildZoneAwarePolicy(zoneAwareLbSetting);
  return localityLbSetting && buildLocalityPolicy(localityLbSetting);
}
