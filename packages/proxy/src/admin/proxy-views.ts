import type { Clock } from "@weft/base/clock";
import { gatherInTurns } from "@weft/base/join-in-turns";
import type { Locality } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { ClusterManager } from "../cluster/cluster-manager.ts";
import type { BootstrapPlan } from "../config/bootstrap.ts";
import type { LiveConfig } from "../config/live-config.ts";
import type { TlsContexts } from "../config/tls-contexts.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import {
  listStats,
  renderStatsJson,
  renderStatsText,
  statsExposition,
  statsProtobuf,
} from "../telemetry/render-stats.ts";
import { certificatesView } from "./certificates.ts";
import { clustersJson, clustersText, type ShownCluster } from "./clusters-view.ts";
import { configDump } from "./config-dump.ts";
import type { AdminViews, ServerState } from "./endpoints.ts";
import type { Log } from "./log.ts";
import { runtimeView } from "./runtime-view.ts";
import type { StatsOptions } from "./stats-endpoints.ts";

export interface ViewedProxy {
  readonly clock: Clock;
  readonly bootstrap: BootstrapPlan;
  readonly live: LiveConfig;
  readonly tls: TlsContexts;
  readonly clusters: ClusterManager;
  /** Of all workers together. */
  stats(): EnvoyStats | Promise<EnvoyStats>;
  readonly concurrency: number;
  /** How many processes have handed over to this one. */
  readonly epoch: number;
  readonly log: Log;
  readonly version: string;
  /** For `/server_info`, by Envoy's names. */
  readonly commandLine: Readonly<Record<string, unknown>>;
  state(): ServerState;
  /** The configuration of an earlier run, while that is what is served. */
  keptInForce(): { readonly writtenMs: number } | undefined;
  /** Listeners with the addresses they are really bound to. */
  listeners(): readonly { readonly name: string; readonly address: SocketAddress }[];
}

/** What the admin endpoints show of a running proxy. */
export function proxyViews(proxy: ViewedProxy): AdminViews {
  const { clock, tls, live, bootstrap } = proxy;
  const startedMs = clock.now();
  const startedMonotonicMs = clock.monotonicMs();
  const shown = function* (filter: ((name: string) => boolean) | undefined): Iterable<ShownCluster> {
    for (const cluster of proxy.clusters.clusters) {
      if (filter && !filter(cluster.name)) continue;
      yield { cluster, isDynamic: live.clusters.get(cluster.name)?.isStatic === false };
    }
  };
  return {
    state: () => proxy.state(),
    hasNativeHistograms: bootstrap.hasNativeHistograms,
    hotRestartVersion: () => hotRestartVersion,
    keptSince: () => proxy.keptInForce()?.writtenMs,
    serverInfo() {
      const uptime = `${Math.floor((clock.monotonicMs() - startedMonotonicMs) / 1000)}s`;
      const { node } = bootstrap.message;
      return {
        version: proxy.version,
        state: proxy.state(),
        uptime_current_epoch: uptime,
        uptime_all_epochs: uptime,
        hot_restart_version: hotRestartVersion,
        command_line_options: {
          ...proxy.commandLine,
          concurrency: proxy.concurrency,
          restart_epoch: proxy.epoch,
          log_level: proxy.log.level,
        },
        node: {
          id: node?.id ?? "",
          cluster: node?.cluster ?? "",
          metadata: node?.metadata ?? {},
          ...(node?.locality && { locality: shownLocality(node.locality) }),
        },
      };
    },
    async statsText(options) {
      const stats = await proxy.stats();
      return renderStatsText(stats, { ...options, filter: statFilter(options, stats, bootstrap.keepsStat) });
    },
    async statsJson(options) {
      const stats = await proxy.stats();
      return renderStatsJson(stats, { ...options, filter: statFilter(options, stats, bootstrap.keepsStat) });
    },
    async statsPrometheus(options, format) {
      const stats = await proxy.stats();
      const filter = statFilter(options, stats, bootstrap.keepsStat);
      if (format !== "protobuf") {
        return (await gatherInTurns(statsExposition(stats, format, filter), clock)).join("");
      }
      return Buffer.concat(await gatherInTurns(statsProtobuf(stats, filter), clock));
    },
    runtime: () => runtimeView(bootstrap),
    clustersText: (filter) => clustersText(shown(filter)),
    clustersJson: (filter) => clustersJson(shown(filter)),
    listeners: () =>
      proxy
        .listeners()
        .map(({ name, address }) =>
          address.kind === "ip"
            ? { name, host: address.host, port: address.port }
            : { name, host: address.path, port: undefined },
        ),
    unready: () => ({
      listeners: Array.from(live.listeners.waiting(), ({ plan }) => plan.name),
      clusters: Array.from(live.clusters.waiting(), ({ plan }) => plan.name),
    }),
    configDump: (includeEndpoints) => configDump(bootstrap, live, tls, startedMs, includeEndpoints),
    certificates: () => certificatesView(tls, clock.now()),
    logLevel: () => proxy.log.level,
  };
}

function shownLocality({ region, zone, subZone }: Locality): Readonly<Record<string, string>> {
  return { ...(region && { region }), ...(zone && { zone }), ...(subZone && { sub_zone: subZone }) };
}

/** Of what a process hands to the next: those of equal versions can follow each other. */
const hotRestartVersion = "weft.1";

type NameTest = (name: string) => boolean;

/** What is asked for of what is configured to be shown. */
function statFilter(
  { filter: asked, usedOnly, kinds }: StatsOptions,
  stats: EnvoyStats,
  keeps: NameTest | undefined,
): NameTest | undefined {
  const filter: NameTest | undefined =
    keeps && asked ? (name) => keeps(name) && asked(name) : (keeps ?? asked);
  if (!usedOnly && !kinds) return filter;
  const used = new Set<string>();
  for (const { name, kind, metric } of listStats(stats)) {
    const isUsed = typeof metric === "number" ? metric !== 0 : metric.count > 0;
    if ((isUsed || !usedOnly) && (kinds?.includes(kind) ?? true)) used.add(name);
  }
  return (name) => used.has(name) && (!filter || filter(name));
}
