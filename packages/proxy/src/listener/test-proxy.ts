import { systemClock } from "@weft/base/clock";
import { MetricRegistry } from "@weft/base/metric-registry";
import { ClusterManager } from "../cluster/cluster-manager.ts";
import type { ClusterPlan, EndpointPlan } from "../cluster/cluster-plan.ts";
import { routerFilter } from "../filters/router-plan.ts";
import { defaultHttp2Plan } from "../http2/http2-plan.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { RequestHead } from "../layer/message.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import { routeLimits } from "../route/call-limits.ts";
import { defaultRetryPlan, noConditions, type RetryPlan } from "../route/retry-plan.ts";
import {
  type ForwardAction,
  noRouteTrace,
  type RouteAction,
  type RouteMatch,
  type RoutePlan,
} from "../route/route-plan.ts";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { FilterChainPlan, HttpConnectionPlan, ListenerPlan, TcpProxyPlan } from "./listener-plan.ts";
import { createRuntime, type Runtime, type RuntimeOptions } from "./runtime.ts";

/** A proxy on 127.0.0.1 with hand-made plans, for tests of the request path. */
export interface TestProxy {
  readonly runtime: Runtime;
  readonly clusters: ClusterManager;
  readonly registry: MetricRegistry;
  readonly logged: Exchange[];
  /** The port the listener of this name is bound to. */
  port(listener?: string): number;
  /** The series of this exposed name, labels ignored, added up. */
  metric(name: string): number;
  close(): Promise<void>;
}

export async function startTestProxy(
  plans: readonly ListenerPlan[],
  clusterPlans: readonly ClusterPlan[],
  options: Partial<RuntimeOptions> & { readonly logged?: Exchange[] } = {},
): Promise<TestProxy> {
  const registry = new MetricRegistry();
  const stats = new EnvoyStats(registry);
  const clock = options.clock ?? systemClock;
  let runtime: Runtime | undefined;
  const clusters = new ClusterManager({
    clock,
    stats,
    onEndpointRemoved: (endpoint) => runtime?.onEndpointRemoved(endpoint),
  });
  for (const plan of clusterPlans) clusters.setCluster(plan);
  runtime = createRuntime({
    clock,
    clusters,
    stats,
    log: (level, message, fields) => {
      if (level === "error") throw new Error(`${message}: ${JSON.stringify(fields)}`);
    },
    ...options,
  });
  const failures = await runtime.applyListeners(plans);
  if (failures.length > 0) throw new Error(JSON.stringify(failures));
  const started = runtime;
  return {
    runtime: started,
    clusters,
    registry,
    logged: options.logged ?? [],
    port(listener = "main") {
      const address = started.listeners().find(({ name }) => name === listener)?.addresses[0];
      if (address?.kind !== "ip") throw new Error(`no listener ${listener}`);
      return address.port;
    },
    metric(name) {
      const family = registry.collect().find((candidate) => candidate.name === name);
      let sum = 0;
      for (const { metric } of family?.series ?? []) sum += "value" in metric ? metric.value : metric.count;
      return sum;
    },
    async close() {
      await started.close();
      clusters.close();
    },
  };
}

export const loopback: SocketAddress = { kind: "ip", host: "127.0.0.1", port: 0 };

export function httpPlan(overrides: Partial<HttpConnectionPlan> = {}): HttpConnectionPlan {
  return {
    kind: "http",
    statPrefix: "test",
    codec: "auto",
    http2: defaultHttp2Plan,
    routes: routesTo(forwardTo("upstream")),
    filters: [routerFilter({ suppressEnvoyHeaders: false })],
    accessLogs: [],
    requestTimeoutMs: 0,
    requestHeadersTimeoutMs: 0,
    streamIdleTimeoutMs: 300_000,
    streamFlushTimeoutMs: 300_000,
    maxStreamDurationMs: 0,
    idleTimeoutMs: 3_600_000,
    maxConnectionDurationMs: 0,
    keepsIdleAtMaxDuration: false,
    delayedCloseMs: 1_000,
    drainTimeoutMs: 5_000,
    maxRequestHeadersBytes: 60 * 1024,
    maxHeadersCount: 100,
    maxRequestsPerConnection: 0,
    underscores: "allow",
    serverName: "envoy",
    serverHeaderTransformation: "overwrite",
    generateRequestId: true,
    preserveExternalRequestId: false,
    tellsRequestId: false,
    useRemoteAddress: false,
    xffNumTrustedHops: 0,
    skipXffAppend: false,
    appendsForwardedPort: false,
    via: "",
    forwardClientCert: "sanitize",
    setClientCertDetails: { subject: false, cert: false, chain: false, dns: false, uri: false },
    normalizePath: true,
    mergeSlashes: false,
    escapedSlashes: "keep",
    stripPort: "none",
    stripsHostDot: false,
    upgrades: new Map(),
    acceptHttp10: false,
    defaultHttp10Host: "",
    keepsTrailers: false,
    proxies100: false,
    properCaseHeaders: false,
    ...overrides,
  };
}

export function tcpPlan(overrides: Partial<TcpProxyPlan> = {}): TcpProxyPlan {
  return {
    kind: "tcp",
    statPrefix: "test",
    selectCluster: () => ({ cluster: "upstream", subset: undefined }),
    idleTimeoutMs: 3_600_000,
    maxDurationMs: 0,
    maxDurationJitter: 0,
    maxConnectAttempts: 1,
    backoff: undefined,
    connectsOnData: false,
    maxEarlyBytes: 0,
    logsOnConnected: false,
    accessLogIntervalMs: 0,
    accessLogs: [],
    ...overrides,
  };
}

export function chainPlan(
  terminal: FilterChainPlan["terminal"],
  overrides: Partial<FilterChainPlan> = {},
): FilterChainPlan {
  return {
    name: "",
    match: {
      destinationPort: undefined,
      prefixRanges: [],
      serverNames: [],
      transportProtocol: "",
      applicationProtocols: [],
      directSourcePrefixRanges: [],
      sourcePrefixRanges: [],
      sourcePorts: [],
      sourceType: "any",
    },
    tls: undefined,
    transportConnectTimeoutMs: 0,
    networkFilters: [],
    terminal,
    ...overrides,
  };
}

let fingerprints = 0;

export function listenerPlan(
  chains: readonly FilterChainPlan[],
  overrides: Partial<ListenerPlan> = {},
): ListenerPlan {
  fingerprints += 1;
  return {
    name: "main",
    addresses: [loopback],
    bindToPort: true,
    useOriginalDst: false,
    trafficDirection: "outbound",
    listenerFilters: {
      originalDst: false,
      tlsInspector: false,
      httpInspector: false,
      timeoutMs: 15_000,
      continueOnTimeout: false,
    },
    chains,
    defaultChain: undefined,
    bufferLimitBytes: 1024 * 1024,
    origin: undefined,
    fingerprint: `listener ${fingerprints}`,
    ...overrides,
  };
}

export function clusterPlan(
  endpoints: readonly (SocketAddress | EndpointPlan)[],
  overrides: Partial<ClusterPlan> = {},
): ClusterPlan {
  fingerprints += 1;
  const limits = {
    maxConnections: 1024,
    maxPendingRequests: 1024,
    maxRequests: 1024,
    maxRetries: 3,
    retryBudgetPercent: 20,
    minRetryConcurrency: 3,
  };
  return {
    name: "upstream",
    statName: "upstream",
    discovery: {
      kind: "static",
      endpoints: [
        {
          region: "",
          zone: "",
          subZone: "",
          priority: 0,
          weight: 0,
          endpoints: endpoints.map((endpoint) => ("address" in endpoint ? endpoint : endpointPlan(endpoint))),
        },
      ],
    },
    connectTimeoutMs: 5_000,
    balancer: { kind: "round-robin" },
    subsets: undefined,
    breakers: { default: limits, high: limits },
    outlier: undefined,
    protocol: "http1",
    transports: [],
    maxRequestsPerConnection: 0,
    idleTimeoutMs: 3_600_000,
    bufferLimitBytes: 1024 * 1024,
    originalDstHeader: undefined,
    origin: undefined,
    fingerprint: `cluster ${fingerprints}`,
    ...overrides,
  };
}

export function endpointPlan(address: SocketAddress): EndpointPlan {
  return { address, hostname: "", weight: 1, health: "healthy", metadata: new Map() };
}

export function forwardTo(cluster: string, overrides: Partial<ForwardAction> = {}): ForwardAction {
  const choice = { cluster, subset: undefined, requestEdits: undefined, responseEdits: undefined };
  return {
    kind: "forward",
    selectCluster: () => choice,
    limits: routeLimits(15_000, overrides.retry, false),
    idleTimeoutMs: undefined,
    streamDuration: undefined,
    bodyLimit: undefined,
    retry: undefined,
    grpcTimeout: undefined,
    rewritePath: undefined,
    rewriteAuthority: undefined,
    mirrors: undefined,
    appendsForwardedHost: false,
    autoHostRewrite: false,
    hashPolicy: undefined,
    priority: "default",
    clusterNotFoundStatus: 503,
    upgrades: new Map(),
    terminatesConnect: false,
    ...overrides,
  };
}

export function retryPlan(on: Partial<RetryPlan["on"]>, overrides: Partial<RetryPlan> = {}): RetryPlan {
  return {
    ...defaultRetryPlan,
    isActive: true,
    on: { ...noConditions, ...on },
    numRetries: 2,
    backoffBaseMs: 1,
    backoffMaxMs: 2,
    ...overrides,
  };
}

export function routesTo(
  action: RouteAction | ((request: RequestHead) => RouteAction | undefined),
  overrides: Partial<RoutePlan> = {},
): HttpConnectionPlan["routes"] {
  const match = (chosen: RouteAction): RouteMatch => ({
    virtualHost: { name: "all" },
    route: {
      name: "",
      action: chosen,
      requestEdits: undefined,
      responseEdits: undefined,
      filterConfigs: undefined,
      origin: undefined,
      ...overrides,
    },
  });
  return {
    current: {
      name: "test",
      match(request) {
        const chosen = typeof action === "function" ? action(request) : action;
        return chosen && match(chosen);
      },
      trace: () => noRouteTrace,
    },
  };
}
