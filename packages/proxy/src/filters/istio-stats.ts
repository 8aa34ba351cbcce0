import type { MetricRegistry } from "@weft/base/metric-registry";
import type { Exchange } from "../layer/exchange.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import { commonLabels, principalOf, resolveParties, usesHostFallback } from "./istio-labels.ts";
import { type HttpSeries, IstioMetrics, type TcpSeries } from "./istio-metrics.ts";
import type { IstioStatsPlan } from "./istio-stats-plan.ts";
import { createPeerMetadataExchange } from "./peer-metadata-exchange.ts";

export const istioStatsFilterName = "istio.stats";

/** Calls that differ in nothing a label shows. */
interface CachedSeries {
  readonly status: number;
  readonly flags: number;
  readonly grpcStatus: string;
  readonly isGrpc: boolean;
  readonly cluster: unknown;
  readonly peerMetadata: unknown;
  readonly principal: string;
  /** Undefined when the labels do not depend on the request's host. */
  readonly host: string | undefined;
  readonly series: HttpSeries;
}

/** Series named after the client's `host` header are made up to here; later hosts count as unknown. */
const maxHostSeries = 500;

/**
 * Counts every request in Istio's standard metrics.
 *
 * Labels are put together once for each combination of peer, status and flags
 * and kept with the peer; after that a request costs a short search and four
 * additions. Runs at the end of the exchange, and at its start only to exchange
 * peer metadata.
 */
export function createIstioStatsFilter(
  plan: IstioStatsPlan,
  registry: MetricRegistry,
  name = istioStatsFilterName,
): HttpFilter {
  const metrics = new IstioMetrics(registry, plan.overrides);
  const exchangeMetadata = createPeerMetadataExchange(plan.local, plan.nodeId);
  const isSource = plan.reporter === "source";
  const caches = new WeakMap<object, CachedSeries[]>();
  const noPeer = {};
  let hostSeries = 0;

  function resolve(exchange: Exchange, key: object, isGrpc: boolean, grpcStatus: string): HttpSeries {
    const cached = caches.get(key);
    const status = exchange.response?.status ?? 0;
    const peer = isSource ? exchange.upstreamPeer : exchange.connection.peer;
    const principal = principalOf(peer);
    if (cached) {
      for (const entry of cached) {
        if (
          entry.status === status &&
          entry.flags === exchange.flags &&
          entry.isGrpc === isGrpc &&
          entry.grpcStatus === grpcStatus &&
          entry.cluster === exchange.cluster &&
          entry.peerMetadata === exchange.connection.peerMetadata &&
          entry.principal === principal &&
          (entry.host === undefined || entry.host === exchange.request?.authority)
        ) {
          return entry.series;
        }
      }
    }
    const isByHost = usesHostFallback(plan, exchange);
    if (isByHost) hostSeries += 1;
    const effective = hostSeries > maxHostSeries ? { ...plan, isHostHeaderFallbackDisabled: true } : plan;
    const parties = resolveParties(effective, exchange);
    const labels = commonLabels(plan, parties, isGrpc ? "grpc" : "http", exchange.flags);
    const series = metrics.http([...labels, String(status), grpcStatus]);
    if (effective !== plan && isByHost) return series;
    const entry: CachedSeries = {
      status,
      flags: exchange.flags,
      grpcStatus,
      isGrpc,
      cluster: exchange.cluster,
      peerMetadata: exchange.connection.peerMetadata,
      principal,
      host: isByHost ? (exchange.request?.authority ?? "") : undefined,
      series,
    };
    if (cached) cached.push(entry);
    else caches.set(key, [entry]);
    return series;
  }

  return {
    name,
    onRequest(exchange) {
      exchangeMetadata(exchange, isSource);
      return "continue";
    },
    onComplete(exchange) {
      const isGrpc = isGrpcRequest(exchange);
      const grpcStatus = isGrpc ? grpcStatusOf(exchange) : "";
      const key = isSource ? (exchange.endpoint ?? exchange.cluster ?? noPeer) : exchange.connection;
      const series = resolve(exchange, key, isGrpc, grpcStatus);
      series.requests.value += 1;
      series.durationMs.observe(exchange.endMs - exchange.startMs);
      series.requestBytes.observe(exchange.bytesReceived + exchange.requestHeaderBytes);
      series.responseBytes.observe(exchange.bytesSent);
    },
  };
}

/** Counts TCP connections and their bytes in Istio's standard metrics. */
export function createIstioTcpStatsFilter(
  plan: IstioStatsPlan,
  registry: MetricRegistry,
  name = istioStatsFilterName,
): NetworkFilter {
  const metrics = new IstioMetrics(registry, plan.overrides);
  const opened = new WeakMap<Exchange, TcpSeries>();
  const resolve = (exchange: Exchange): TcpSeries =>
    metrics.tcp(commonLabels(plan, resolveParties(plan, exchange), "tcp", exchange.flags));
  return {
    name,
    onConnection: () => true,
    onEstablished(exchange) {
      const series = resolve(exchange);
      opened.set(exchange, series);
      series.opened.add();
    },
    onClose(exchange) {
      const begun = opened.get(exchange);
      const series = resolve(exchange);
      if (!begun) series.opened.add();
      series.closed.add();
      series.receivedBytes.add(exchange.bytesReceived);
      series.sentBytes.add(exchange.bytesSent);
    },
  };
}

function isGrpcRequest(exchange: Exchange): boolean {
  return exchange.request?.headers.get("content-type")?.startsWith("application/grpc") === true;
}

/** "" until the call has said how it went. Bounded: anything but a known code is 2, UNKNOWN. */
function grpcStatusOf(exchange: Exchange): string {
  const status =
    exchange.responseTrailers?.get("grpc-status") ?? exchange.response?.headers.get("grpc-status") ?? "";
  return status === "" || /^(\d|1[0-6])$/.test(status) ? status : "2";
}
