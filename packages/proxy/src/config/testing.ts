import { systemClock } from "@weft/base/clock";
import { MetricRegistry } from "@weft/base/metric-registry";
import { ModuleRunners } from "../filters/module/module-runners.ts";
import type { ResourceDiscovery } from "../layer/resource-discovery.ts";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { AccessLogPlan } from "./access-log-plan.ts";
import { decodeBootstrap } from "./bootstrap.ts";
import type { Factories, FilterServices } from "./decode-context.ts";
import { parseDocument } from "./document.ts";
import { ResourceDecoder } from "./resource-decoder.ts";
import { compileStaticResources, type StaticResources } from "./static-resources.ts";
import { TlsContexts } from "./tls-contexts.ts";

/** Factories for tests of configuration: filters that do nothing and carry their plan. */
export function fakeFactories(accessLogs: AccessLogPlan[] = []): Factories {
  return {
    networkRbac: (plan, name) => ({ name, plan, onConnection: () => true }) as never,
    istioTcpStats: (settings, name) => ({ name, settings, onConnection: () => true }) as never,
    accessLog(plan) {
      accessLogs.push(plan);
      return { log() {} };
    },
    bodyFormat: () => () => "formatted",
    headerValue(format) {
      if (/%[A-Z]/.test(format)) throw new SyntaxError(`unknown operator in ${format}`);
      return format;
    },
  };
}

const noDiscovery: ResourceDiscovery = {
  discover(_source, _name, _timeoutMs, onAnswer) {
    onAnswer("missing");
    return { cancel() {} };
  },
};

/** What filters are made with in tests of configuration. */
export function testServices(): FilterServices {
  return {
    clock: systemClock,
    stats: new EnvoyStats(new MetricRegistry()),
    random: Math.random,
    localCluster: "",
    serverHealth: { isFailing: false, clusterName: "", membership: () => undefined },
    clusterDiscovery: noDiscovery,
    hostDiscovery: noDiscovery,
    callouts: {
      start(_request, onDone) {
        onDone({ kind: "failure", reason: "no-cluster" });
        return { cancel() {} };
      },
    },
    modules: new ModuleRunners({ clock: systemClock, random: Math.random, warn() {} }),
    node: { id: "", cluster: "", zone: "", metadata: {} },
    istioPlan: (settings) => ({ ...settings, reporter: "source" }) as never,
  };
}

/** Decodes and compiles a bootstrap given as text, as `weft proxy` does before it starts anything. */
export function compileText(text: string, factories: Factories = fakeFactories()): StaticResources {
  const bootstrap = decodeBootstrap(parseDocument("bootstrap.yaml", text));
  const tls = new TlsContexts();
  const decoder = new ResourceDecoder({
    factories,
    services: testServices(),
    tls,
    runtime: bootstrap.runtime,
    staticClusters: bootstrap.staticClusters,
    hasAds: bootstrap.ads !== undefined,
    isAdsDelta: bootstrap.ads?.isDelta ?? false,
    routeHolder: () => ({ current: undefined }),
  });
  return compileStaticResources(bootstrap, decoder, tls);
}
