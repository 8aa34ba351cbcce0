import { systemClock } from "@weft/base/clock";
import { MetricRegistry } from "@weft/base/metric-registry";
import {
  createFactories,
  createFilterServices,
  type FactoryDependencies,
} from "../config/create-factories.ts";
import type { RouteHolder } from "../config/decode-context.ts";
import { ResourceDecoder } from "../config/resource-decoder.ts";
import { TlsContexts } from "../config/tls-contexts.ts";
import type { Callouts } from "../filters/callout.ts";
import type { ResourceDiscovery } from "../layer/resource-discovery.ts";
import { AccessLogs } from "../telemetry/access-log.ts";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { DryClock } from "./dry-clock.ts";

/** What the bootstraps of sidecars define, and their configuration may refer to. */
const bootstrapClusters: ReadonlySet<string> = new Set(["xds-grpc", "sds-grpc"]);

/** What is there is known: nobody is asked for more. */
const noDiscovery: ResourceDiscovery = {
  discover(_source, _cluster, _timeoutMs, onAnswer) {
    onAnswer("missing");
    return { cancel() {} };
  },
};

export interface DryDecoderOptions {
  readonly clock: DryClock;
  /** Decides what filters leave to chance; uniform in [0, 1) in a real proxy. */
  readonly random: () => number;
  /** A filter asks a service outside the proxy. It is never answered. */
  onCallout(cluster: string): void;
  routeHolder(key: string): RouteHolder;
}

/**
 * The decoder of a real proxy, filters and all, with nothing behind it: no
 * logs are written, no certificate is needed, nobody outside is asked.
 */
export function dryDecoder(options: DryDecoderOptions): ResourceDecoder {
  const stats = new EnvoyStats(new MetricRegistry());
  const tls = new TlsContexts();
  const callouts: Callouts = {
    start({ cluster }) {
      options.onCallout(cluster);
      return { cancel() {} };
    },
  };
  const dependencies: FactoryDependencies = {
    clock: options.clock,
    stats,
    accessLogs: new AccessLogs(systemClock, stats),
    tls,
    node: undefined,
    random: options.random,
    clusterDiscovery: noDiscovery,
    hostDiscovery: noDiscovery,
    callouts,
    serverHealth: { isFailing: false, clusterName: "", membership: () => undefined },
    warn() {},
  };
  const services = createFilterServices(dependencies);
  return new ResourceDecoder({
    factories: { ...createFactories(dependencies, services), accessLog: () => ({ log() {} }) },
    services,
    tls,
    runtime: new Map(),
    staticClusters: bootstrapClusters,
    hasAds: true,
    isAdsDelta: true,
    routeHolder: options.routeHolder,
  });
}
