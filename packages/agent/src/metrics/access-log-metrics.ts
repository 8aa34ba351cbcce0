import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { MetricRegistry } from "@weft/base/metric-registry";
import { commonLabels, type Parties, unknownService } from "@weft/proxy/filters/istio-labels";
import { IstioMetrics, type MessageSeries } from "@weft/proxy/filters/istio-metrics";
import type { ServiceName } from "@weft/proxy/filters/istio-stats-plan";
import type { PeerMetadata } from "@weft/proxy/layer/downstream-connection";
import { decodePeerMetadata, parseEndpointWorkload } from "@weft/proxy/telemetry/peer-metadata";
import { accessLogMetrics } from "@weft/xds/access-log-metrics";
import {
  type AccessLogCommon,
  AccessLogType,
  type HTTPAccessLogEntry,
  type TCPAccessLogEntry,
  type TLSProperties_CertificateProperties,
} from "@weft/xds/gen/envoy/data/accesslog/v3/accesslog_pb";
import { FilterObjectSchema as GrpcMessagesSchema } from "@weft/xds/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb";
import type { MetricsLog } from "@weft/xds/metrics-log-name";
import { milliseconds } from "./milliseconds.ts";
import { responseFlagsOf } from "./response-flags.ts";

export interface AccessLogMetricsOptions {
  readonly registry: MetricRegistry;
  readonly local: PeerMetadata;
  /** What the workload registered as; undefined for a pure client. */
  readonly localService: ServiceName | undefined;
  readonly localPrincipal: string;
}

/** The side of the call that the data plane was on. */
export type Reporter = "source" | "destination";

/** What has been counted of a connection that is open. */
interface OpenConnection {
  /** Whether it has been counted as opened. */
  readonly isCounted: boolean;
  readonly received: number;
  readonly sent: number;
}

interface Labels {
  readonly labels: readonly string[];
  readonly dimensions: readonly string[];
}

export function reporterOf({ direction }: MetricsLog): Reporter {
  return direction === "outbound" ? "source" : "destination";
}

const { tags } = accessLogMetrics;
/** Connections remembered at once; the oldest is forgotten, and its later calls are of an unknown source. */
const maxConnections = 20_000;
const maxDimensions = 64;

/**
 * Istio's standard metrics from a sidecar's access logs, with the labels and
 * values that `istio.stats` would have given them. A peer says who it is once
 * per connection; what is remembered of that is bounded.
 */
export class AccessLogMetrics {
  /** Of one metric, from the first that is counted; undefined: as usual. */
  maxSeries: number | undefined;
  readonly #options: AccessLogMetricsOptions;
  readonly #metrics = new WeakMap<MetricsLog, IstioMetrics>();
  readonly #peers = new Map<string, { readonly said: string; readonly peer: PeerMetadata }>();
  readonly #opened = new Map<string, OpenConnection>();

  constructor(options: AccessLogMetricsOptions) {
    this.#options = options;
  }

  /** `log` is one object for all entries of its stream. */
  countRequest(log: MetricsLog, entry: HTTPAccessLogEntry): void {
    const reporter = reporterOf(log);
    const { commonProperties: common, request, response } = entry;
    if (!common) return;
    const isGrpc = request?.requestHeaders["content-type"]?.startsWith("application/grpc") === true;
    const parties = this.parties(reporter, common, request?.authority ?? "");
    const counted = this.#labels(reporter, parties, isGrpc ? "grpc" : "http", common);
    const labels = [
      ...counted.labels,
      String(response?.responseCode ?? 0),
      isGrpc ? grpcStatusOf(entry) : "",
    ];
    const series = this.#metricsOf(log).http(labels, counted.dimensions, isGrpc);
    series.requests.value += 1;
    series.durationMs.observe(milliseconds(common.duration ?? common.timeToLastDownstreamTxByte));
    series.requestBytes.observe(
      Number((request?.requestBodyBytes ?? 0n) + (request?.requestHeadersBytes ?? 0n)),
    );
    series.responseBytes.observe(Number(response?.responseBodyBytes ?? 0n));
    if (series.messages) countMessages(series.messages, common);
  }

  /**
   * As `countRequest`; a connection has entries when it is established, meanwhile,
   * and when it is over. An inbound one may reach the application before its
   * client has proved who it is: then the next entry counts it as opened.
   */
  countConnection(log: MetricsLog, entry: TCPAccessLogEntry): void {
    const reporter = reporterOf(log);
    const { commonProperties: common, connectionProperties } = entry;
    if (!common) return;
    const connection = `${reporter} ${tagOf(common, tags.connection)}`;
    const parties = this.parties(reporter, common, "");
    const isBeginning = common.accessLogType === AccessLogType.TcpUpstreamConnected;
    if (isBeginning && reporter === "destination" && parties.sourcePrincipal === "") {
      keep(this.#opened, connection, { isCounted: false, received: 0, sent: 0 });
      return;
    }
    const { labels, dimensions } = this.#labels(reporter, parties, "tcp", common);
    const series = this.#metricsOf(log).tcp(labels, dimensions);
    const counted = this.#opened.get(connection) ?? { isCounted: false, received: 0, sent: 0 };
    if (!counted.isCounted) series.opened.add();
    if (isBeginning) {
      keep(this.#opened, connection, { isCounted: true, received: 0, sent: 0 });
      return;
    }
    const received = Number(connectionProperties?.receivedBytes ?? 0n);
    const sent = Number(connectionProperties?.sentBytes ?? 0n);
    series.receivedBytes.add(Math.max(0, received - counted.received));
    series.sentBytes.add(Math.max(0, sent - counted.sent));
    if (common.accessLogType === AccessLogType.TcpPeriodic) {
      keep(this.#opened, connection, { isCounted: true, received, sent });
      return;
    }
    this.#opened.delete(connection);
    series.closed.add();
  }

  #metricsOf(log: MetricsLog): IstioMetrics {
    let metrics = this.#metrics.get(log);
    if (!metrics) {
      metrics = new IstioMetrics(this.#options.registry, log.changes, this.maxSeries);
      this.#metrics.set(log, metrics);
    }
    return metrics;
  }

  #labels(reporter: Reporter, parties: Parties, protocol: string, common: AccessLogCommon): Labels {
    const plan = { reporter };
    const flags = responseFlagsOf(common.responseFlags);
    const labels = commonLabels(plan, parties, protocol, flags);
    const dimensions = dimensionsOf(common);
    return { labels, dimensions };
  }

  /** Who called whom, as far as it is known. */
  parties(reporter: Reporter, common: AccessLogCommon, authority: string): Parties {
    return reporter === "source" ? this.#outbound(common, authority) : this.#inbound(common, authority);
  }

  #outbound(common: AccessLogCommon, authority: string): Parties {
    const { local, localPrincipal } = this.#options;
    const workload = tagOf(common, tags.workload);
    const destinationPrincipal = tagOf(common, tags.principal);
    return {
      source: local,
      destination: workload === "" ? undefined : parseEndpointWorkload(workload),
      sourcePrincipal: destinationPrincipal === "" ? "" : localPrincipal,
      destinationPrincipal,
      service: serviceCalled(common, authority),
      security: "unknown",
    };
  }

  #inbound(common: AccessLogCommon, authority: string): Parties {
    const { local, localService } = this.#options;
    const { peerCertificateProperties, localCertificateProperties } = common.tlsProperties ?? {};
    const sourcePrincipal = uriOf(peerCertificateProperties);
    const [host, name, namespace] = tagOf(common, tags.service).split(";");
    return {
      source: this.#peer(common, sourcePrincipal),
      destination: local,
      sourcePrincipal,
      destinationPrincipal: sourcePrincipal === "" ? "" : uriOf(localCertificateProperties),
      service: host
        ? { host, name: name ?? host, namespace: namespace ?? "" }
        : (localService ?? unnamed(common, authority)),
      security: sourcePrincipal === "" ? "none" : "mutual_tls",
    };
  }

  /** What a peer says of itself counts only for the namespace its certificate proves. */
  #peer(common: AccessLogCommon, principal: string): PeerMetadata | undefined {
    if (principal === "") return undefined;
    const connection = `${tagOf(common, tags.connection)} ${principal}`;
    const said = tagOf(common, tags.peer);
    const known = this.#peers.get(connection);
    if (said === "" || known?.said === said) return known?.peer;
    const peer = decodePeerMetadata(said);
    const namespace = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\//.exec(principal)?.[1];
    if (!peer || (namespace !== undefined && namespace !== peer.namespace)) return undefined;
    keep(this.#peers, connection, { said, peer });
    return peer;
  }
}

/** The values of a configuration's own labels, in order of their places. */
function dimensionsOf({ customTags }: AccessLogCommon): string[] {
  const values: string[] = [];
  for (let i = 0; i < maxDimensions; i++) {
    const value = customTags[`${tags.dimension}${i}`];
    if (value === undefined) break;
    values.push(value === "" || value === "-" ? "unknown" : value);
  }
  return values;
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size >= maxConnections) map.delete(map.keys().next().value!);
  map.set(key, value);
}

/** Of a call that is over. The proxy says nothing of one that it denied before it counted. */
function countMessages({ requestMessages, responseMessages }: MessageSeries, common: AccessLogCommon): void {
  const said = common.filterStateObjects[accessLogMetrics.grpcStats];
  const messages = said && anyUnpack(said, GrpcMessagesSchema);
  requestMessages.add(Number(messages?.requestMessageCount ?? 0n));
  responseMessages.add(Number(messages?.responseMessageCount ?? 0n));
}

/** "" where the tag is missing, or stands for nothing. */
function tagOf(common: AccessLogCommon, tag: string): string {
  const value = common.customTags[tag] ?? "";
  return value === "-" ? "" : value;
}

/** `outbound|9080|v1|reviews.default.svc.cluster.local` names its service. */
function serviceOfCluster(cluster: string): ServiceName | undefined {
  const [direction, , , host] = cluster.split("|");
  if (direction !== "outbound" || !host) return undefined;
  const inMesh = /^([^.]+)\.([^.]+)\.svc\./.exec(host);
  return { host, name: inMesh?.[1] ?? host, namespace: inMesh?.[2] ?? "" };
}

function serviceCalled(common: AccessLogCommon, authority: string): ServiceName {
  const upstreamCluster = common.upstreamCluster || tagOf(common, tags.cluster);
  return serviceOfCluster(upstreamCluster) ?? unnamed({ ...common, upstreamCluster }, authority);
}

function unnamed({ routeName, upstreamCluster }: AccessLogCommon, authority: string): ServiceName {
  return unknownService(authority, routeName, upstreamCluster);
}

function uriOf(certificate: TLSProperties_CertificateProperties | undefined): string {
  for (const { san } of certificate?.subjectAltName ?? []) if (san.case === "uri") return san.value;
  return "";
}

/** Bounded: anything but a known code is 2, UNKNOWN. */
function grpcStatusOf({ response }: HTTPAccessLogEntry): string {
  const status = response?.responseTrailers["grpc-status"] ?? response?.responseHeaders["grpc-status"] ?? "";
  return status === "" || /^(\d|1[0-6])$/.test(status) ? status : "2";
}
