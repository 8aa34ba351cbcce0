import type { Clock } from "@weft/base/clock";
import { formatResponseFlags } from "@weft/proxy/layer/response-flag";
import { shownPath } from "@weft/proxy/observe/hide-secrets";
import { RecentLanes } from "@weft/proxy/observe/recent-lanes";
import { RequestTap, tapLimit } from "@weft/proxy/observe/request-tap";
import { selectRecalled } from "@weft/proxy/observe/select-recalled";
import type { WatchLine } from "@weft/proxy/observe/serve-requests";
import type { Address } from "@weft/xds/gen/envoy/config/core/v3/address_pb";
import { RequestMethod } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  type AccessLogCommon,
  AccessLogType,
  type HTTPAccessLogEntry,
  HTTPAccessLogEntry_HTTPVersion,
  type TCPAccessLogEntry,
} from "@weft/xds/gen/envoy/data/accesslog/v3/accesslog_pb";
import type { ObservedParty, ObservedRequest, RecallPlan, WatchPlan } from "@weft/xds/observed-request";
import type { AccessLogMetrics, Reporter } from "../metrics/access-log-metrics.ts";
import { milliseconds } from "../metrics/milliseconds.ts";
import { responseFlagsOf } from "../metrics/response-flags.ts";
import type { RequestSource } from "./request-source.ts";

/** Entries of connections that go on. */
const unfinished: ReadonlySet<AccessLogType> = new Set([
  AccessLogType.TcpUpstreamConnected,
  AccessLogType.TcpPeriodic,
]);

/**
 * The requests of a data plane that shows them only in its access logs: they are
 * seen when they are over, without the fields of the request, and with the
 * name of the route but not the line it was written in.
 */
export class LoggedRequests implements RequestSource {
  readonly #clock: Clock;
  readonly #metrics: Pick<AccessLogMetrics, "parties">;
  readonly #recent: RecentLanes<ObservedRequest>;
  readonly #taps = new Set<RequestTap>();
  #lastId = 0;

  constructor(clock: Clock, metrics: Pick<AccessLogMetrics, "parties">) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#recent = new RecentLanes(clock.monotonicMs());
  }

  addRequest(reporter: Reporter, entry: HTTPAccessLogEntry): void {
    const { commonProperties: common, request, response } = entry;
    if (!common || !request) return;
    const isGrpc = request.requestHeaders["content-type"]?.startsWith("application/grpc") === true;
    this.#add(entry, {
      ...this.#common(reporter, common, request.authority),
      requestId: request.requestId,
      method: RequestMethod[request.requestMethod] ?? "",
      authority: request.authority,
      path: shownPath(request.originalPath || request.path),
      protocol: protocols[entry.protocolVersion] ?? "",
      userAgent: request.userAgent,
      forwardedFor: request.forwardedFor,
      status: response?.responseCode ?? 0,
      grpcStatus: isGrpc
        ? (response?.responseTrailers["grpc-status"] ?? response?.responseHeaders["grpc-status"] ?? "")
        : "",
      details: response?.responseCodeDetails ?? "",
      isLocalReply: response !== undefined && !common.upstreamRemoteAddress,
      bytesReceived: Number(request.requestBodyBytes),
      bytesSent: Number(response?.responseBodyBytes ?? 0n),
    });
  }

  addConnection(reporter: Reporter, entry: TCPAccessLogEntry): void {
    const { commonProperties: common, connectionProperties } = entry;
    if (!common || unfinished.has(common.accessLogType)) return;
    this.#add(entry, {
      ...this.#common(reporter, common, ""),
      details: common.connectionTerminationDetails,
      bytesReceived: Number(connectionProperties?.receivedBytes ?? 0n),
      bytesSent: Number(connectionProperties?.sentBytes ?? 0n),
    });
  }

  watch(plan: WatchPlan, onLine: (line: WatchLine) => void): () => void {
    const tap = new RequestTap(
      plan,
      (event) => {
        onLine({ events: [event], limited: tap.limited });
        tap.limited = 0;
      },
      tapLimit(plan, this.#clock.monotonicMs()),
    );
    this.#taps.add(tap);
    return () => void this.#taps.delete(tap);
  }

  recall(plan: RecallPlan): Promise<readonly ObservedRequest[]> {
    return Promise.resolve(selectRecalled(this.#recent.all, plan));
  }

  #add(entry: object, request: ObservedRequest): void {
    const nowMs = this.#clock.monotonicMs();
    const isFailing =
      request.status >= 500 || request.flags !== "" || (request.isLocalReply && request.status >= 400);
    if (this.#recent.takes(isFailing, nowMs)) this.#recent.add(isFailing, request);
    for (const tap of this.#taps) tap.offer("end", entry, request, nowMs);
  }

  #common(reporter: Reporter, common: AccessLogCommon, authority: string): ObservedRequest {
    const { source, destination, sourcePrincipal, destinationPrincipal } = this.#metrics.parties(
      reporter,
      common,
      authority,
    );
    const started = common.startTime;
    this.#lastId += 1;
    const party = (peer: typeof source, identity: string): ObservedParty => ({
      workload: peer ? `${peer.workload}.${peer.namespace}` : "",
      version: peer?.version ?? "",
      identity,
    });
    const flags = responseFlagsOf(common.responseFlags);
    return {
      id: String(this.#lastId),
      direction: reporter === "source" ? "outbound" : "inbound",
      startedMs: started ? Number(started.seconds) * 1_000 + started.nanos / 1e6 : 0,
      durationMs: milliseconds(common.duration ?? common.timeToLastDownstreamTxByte),
      responseMs: milliseconds(common.timeToFirstDownstreamTxByte),
      upstreamMs: milliseconds(common.timeToFirstUpstreamRxByte),
      requestId: "",
      method: "",
      authority: "",
      path: "",
      protocol: "",
      userAgent: "",
      forwardedFor: "",
      downstreamRemote: addressText(common.downstreamRemoteAddress),
      downstreamLocal: addressText(common.downstreamLocalAddress),
      serverName: common.tlsProperties?.tlsSniHostname ?? "",
      upstreamHost: addressText(common.upstreamRemoteAddress),
      upstreamLocal: addressText(common.upstreamLocalAddress),
      upstreamFailure: common.upstreamTransportFailureReason,
      attempts: common.upstreamRequestAttemptCount,
      source: party(source, sourcePrincipal),
      destination: party(destination, destinationPrincipal),
      isMutualTls: reporter === "source" ? destinationPrincipal !== "" : sourcePrincipal !== "",
      status: 0,
      grpcStatus: "",
      flags: flags === 0 ? "" : formatResponseFlags(flags),
      details: "",
      isLocalReply: false,
      bytesReceived: 0,
      bytesSent: 0,
      route: common.routeName,
      routeOrigin: "",
      routeConfig: "",
      cluster: common.upstreamCluster,
      decidedOrigin: "",
      decidedBy: "",
    };
  }
}

const protocols: Readonly<Partial<Record<HTTPAccessLogEntry_HTTPVersion, string>>> = {
  [HTTPAccessLogEntry_HTTPVersion.HTTP10]: "HTTP/1.0",
  [HTTPAccessLogEntry_HTTPVersion.HTTP11]: "HTTP/1.1",
  [HTTPAccessLogEntry_HTTPVersion.HTTP2]: "HTTP/2",
  [HTTPAccessLogEntry_HTTPVersion.HTTP3]: "HTTP/3",
};

function addressText(address: Address | undefined): string {
  if (address?.address.case === "pipe") return address.address.value.path;
  if (address?.address.case !== "socketAddress") return "";
  const { address: host, portSpecifier } = address.address.value;
  const port = portSpecifier.case === "portValue" ? portSpecifier.value : 0;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
