import type { MetricRegistry } from "@weft/base/metric-registry";
import { commonLabels, type Parties } from "@weft/proxy/filters/istio-labels";
import { IstioMetrics, type TcpSeries } from "@weft/proxy/filters/istio-metrics";
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

const { tags } = accessLogMetrics;
/** Connections remembered at once; the oldest is forgotten, and its later calls are of an unknown source. */
const maxConnections = 20_000;
/** Combinations of labels that are told apart; a call of yet another one counts as from and to unknown. */
const maxLabelSets = 10_000;

/**
 * Istio's standard metrics from a sidecar's access logs, with the labels and
 * values that `istio.stats` would have given them. A peer says who it is once
 * per connection; what is remembered of that is bounded.
 */
export class AccessLogMetrics {
  readonly #options: AccessLogMetricsOptions;
  readonly #metrics: IstioMetrics;
  readonly #peers = new Map<string, { readonly said: string; readonly peer: PeerMetadata }>();
  readonly #opened = new Map<string, TcpSeries>();
  readonly #labelSets = new Set<string>();

  constructor(options: AccessLogMetricsOptions) {
    this.#options = options;
    this.#metrics = new IstioMetrics(options.registry, []);
  }

  countRequest(reporter: Reporter, entry: HTTPAccessLogEntry): void {
    const { commonProperties: common, request, response } = entry;
    if (!common) return;
    const isGrpc = request?.requestHeaders["content-type"]?.startsWith("application/grpc") === true;
    const parties = this.parties(reporter, common, request?.authority ?? "");
    const labels = [
      ...this.#labels(reporter, parties, isGrpc ? "grpc" : "http", common),
      String(response?.responseCode ?? 0),
      isGrpc ? grpcStatusOf(entry) : "",
    ];
    const series = this.#metrics.http(labels);
    series.requests.value += 1;
    series.durationMs.observe(milliseconds(common.duration ?? common.timeToLastDownstreamTxByte));
    series.requestBytes.observe(
      Number((request?.requestBodyBytes ?? 0n) + (request?.requestHeadersBytes ?? 0n)),
    );
    series.responseBytes.observe(Number(response?.responseBodyBytes ?? 0n));
  }

  countConnection(reporter: Reporter, entry: TCPAccessLogEntry): void {
    const { commonProperties: common, connectionProperties } = entry;
    if (!common) return;
    const connection = `${reporter} ${tagOf(common, tags.connection)}`;
    const parties = this.parties(reporter, common, "");
    const series = this.#metrics.tcp(this.#labels(reporter, parties, "tcp", common));
    if (common.accessLogType === AccessLogType.TcpUpstreamConnected) {
      series.opened.add();
      keep(this.#opened, connection, series);
      return;
    }
    if (!this.#opened.delete(connection)) series.opened.add();
    series.closed.add();
    series.receivedBytes.add(Number(connectionProperties?.receivedBytes ?? 0n));
    series.sentBytes.add(Number(connectionProperties?.sentBytes ?? 0n));
  }

  #labels(reporter: Reporter, parties: Parties, protocol: string, common: AccessLogCommon): string[] {
    const plan = { reporter };
    const flags = responseFlagsOf(common.responseFlags);
    const labels = commonLabels(plan, parties, protocol, flags);
    const key = labels.join("\0");
    if (this.#labelSets.has(key)) return labels;
    if (this.#labelSets.size >= maxLabelSets) return commonLabels(plan, nobody, protocol, flags);
    this.#labelSets.add(key);
    return labels;
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
      service: serviceOfCluster(common.upstreamCluster) ?? unnamed(common, authority),
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

const nobody: Parties = {
  source: undefined,
  destination: undefined,
  sourcePrincipal: "",
  destinationPrincipal: "",
  service: { host: "", name: "", namespace: "" },
  security: "unknown",
};

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size >= maxConnections) map.delete(map.keys().next().value!);
  map.set(key, value);
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

function unnamed(common: AccessLogCommon, authority: string): ServiceName {
  return { host: authority, name: common.upstreamCluster || authority, namespace: "" };
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
