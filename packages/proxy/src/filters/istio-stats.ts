import type { Clock } from "@weft/base/clock";
import type { MetricRegistry } from "@weft/base/metric-registry";
import type { Exchange } from "../layer/exchange.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { RequestHead } from "../layer/message.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import { isGrpc as isGrpcRequest } from "../route/request-matcher.ts";
import { commonLabels, principalOf, resolveParties, usesHostFallback } from "./istio-labels.ts";
import { IstioMessageStats } from "./istio-message-stats.ts";
import { type HttpSeries, IstioMetrics, type MessageSeries, type TcpSeries } from "./istio-metrics.ts";
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
  /** Where they do, they depend on the route's name too. */
  readonly route: string | undefined;
  /** The values of the configuration's own labels, in one text. */
  readonly dimensions: string;
  readonly series: HttpSeries;
}

/** Series named after the client's `host` header are made up to here; later hosts count as unknown. */
const maxHostSeries = 500;
/** Combinations remembered with one peer; beyond, they are put together anew. */
const maxCachedSeries = 256;
const none: readonly string[] = [];

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
  clock: Clock,
  name = istioStatsFilterName,
): HttpFilter {
  const metrics = new IstioMetrics(registry, plan.overrides, plan.maxSeries);
  const exchangeMetadata = createPeerMetadataExchange(plan.local, plan.nodeId);
  const isSource = plan.reporter === "source";
  let caches = new WeakMap<object, CachedSeries[]>();
  let generation = registry.generation;
  const noPeer = {};
  const { dimensions } = plan;
  const isDropped = (name: string) =>
    plan.overrides.some((one) => one.isDropped && (one.metric === "" || one.metric === name));
  const isCounted = !isDropped("");
  const areMessagesDropped = isDropped("request_messages_total") && isDropped("response_messages_total");
  const messages = areMessagesDropped
    ? undefined
    : new IstioMessageStats(clock, plan.tcpReportingMs, openMessages);
  let hostSeries = 0;

  function resolve(exchange: Exchange, key: object, isGrpc: boolean, grpcStatus: string): HttpSeries {
    const values = dimensions.length === 0 ? none : dimensions.map((read) => read(exchange));
    const valuesText = values.length === 0 ? "" : values.join("\0");
    if (generation !== registry.generation) {
      caches = new WeakMap();
      generation = registry.generation;
    }
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
          entry.dimensions === valuesText &&
          (entry.host === undefined ||
            (entry.host === exchange.request?.authority && entry.route === exchange.match?.route.name))
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
    const series = metrics.http([...labels, String(status), grpcStatus], values, isGrpc);
    if (effective !== plan && isByHost) return series;
    if (cached && cached.length >= maxCachedSeries) cached.length = 0;
    const entry: CachedSeries = {
      status,
      flags: exchange.flags,
      grpcStatus,
      isGrpc,
      cluster: exchange.cluster,
      peerMetadata: exchange.connection.peerMetadata,
      principal,
      host: isByHost ? (exchange.request?.authority ?? "") : undefined,
      route: exchange.match?.route.name,
      dimensions: valuesText,
      series,
    };
    if (cached) cached.push(entry);
    else caches.set(key, [entry]);
    return series;
  }

  /** Of a call that is still open: a caller knows the other end once it has chosen an endpoint. */
  function openMessages(exchange: Exchange): MessageSeries | undefined {
    if (isSource && !exchange.endpoint) return undefined;
    const labels = commonLabels(plan, resolveParties(plan, exchange), "grpc", exchange.flags);
    return metrics.messages(
      labels,
      dimensions.map((read) => read(exchange)),
    );
  }

  return {
    name,
    onRequest(exchange) {
      exchangeMetadata(exchange, isSource);
      if (messages !== undefined && hasMessages(exchange.request!)) messages.begin(exchange);
      return "continue";
    },
    ...(isCounted ? { onComplete } : {}),
  };

  function onComplete(exchange: Exchange): void {
    const isGrpc = exchange.request !== undefined && isGrpcRequest(exchange.request);
    const grpcStatus = isGrpc ? grpcStatusOf(exchange) : "";
    const key = isSource ? (exchange.endpoint ?? exchange.cluster ?? noPeer) : exchange.connection;
    const series = resolve(exchange, key, isGrpc, grpcStatus);
    series.requests.value += 1;
    const durationMs = exchange.endMs - exchange.startMs;
    if (exchange.trace === undefined) series.durationMs.observe(durationMs);
    else {
      const { traceId } = exchange.trace.context;
      series.durationMs.observeTraced(durationMs, traceId, exchange.startEpochMs + durationMs);
    }
    series.requestBytes.observe(exchange.bytesReceived + exchange.requestHeaderBytes);
    series.responseBytes.observe(exchange.bytesSent);
    if (series.messages !== undefined) messages?.end(exchange, series.messages);
  }
}

/** What has been counted of a connection that is open. */
interface OpenConnection {
  readonly series: TcpSeries;
  received: number;
  sent: number;
}

/** Counts TCP connections and their bytes in Istio's standard metrics: of open ones every so often. */
export function createIstioTcpStatsFilter(
  plan: IstioStatsPlan,
  registry: MetricRegistry,
  clock: Clock,
  name = istioStatsFilterName,
): NetworkFilter {
  const metrics = new IstioMetrics(registry, plan.overrides, plan.maxSeries);
  const open = new Map<Exchange, OpenConnection>();
  let isReporting = false;
  const resolve = (exchange: Exchange): TcpSeries =>
    metrics.tcp(
      commonLabels(plan, resolveParties(plan, exchange), "tcp", exchange.flags),
      plan.dimensions.map((read) => read(exchange)),
    );
  function report(): void {
    for (const [exchange, one] of open) countBytes(one.series, exchange, one);
    isReporting = false;
    if (open.size > 0) reportLater();
  }
  function reportLater(): void {
    if (isReporting) return;
    isReporting = true;
    clock.setTimer(report, plan.tcpReportingMs);
  }
  return {
    name,
    onConnection: () => true,
    onEstablished(exchange) {
      const series = resolve(exchange);
      open.set(exchange, { series, received: 0, sent: 0 });
      series.opened.add();
      reportLater();
    },
    onClose(exchange) {
      const begun = open.get(exchange);
      open.delete(exchange);
      const series = resolve(exchange);
      if (!begun) series.opened.add();
      series.closed.add();
      countBytes(series, exchange, begun ?? { received: 0, sent: 0 });
    },
  };
}

/** What has come since it was last counted. */
function countBytes(
  { receivedBytes, sentBytes }: TcpSeries,
  { bytesReceived, bytesSent }: Exchange,
  counted: { received: number; sent: number },
): void {
  receivedBytes.add(bytesReceived - counted.received);
  sentBytes.add(bytesSent - counted.sent);
  counted.received = bytesReceived;
  counted.sent = bytesSent;
}

/** By its method first, which most requests that are not gRPC are told by. */
function hasMessages(request: RequestHead): boolean {
  return request.method === "POST" && isGrpcRequest(request);
}

/** "" until the call has said how it went. Bounded: anything but a known code is 2, UNKNOWN. */
function grpcStatusOf(exchange: Exchange): string {
  const status =
    exchange.responseTrailers?.get("grpc-status") ?? exchange.response?.headers.get("grpc-status") ?? "";
  return status === "" || /^(\d|1[0-6])$/.test(status) ? status : "2";
}
