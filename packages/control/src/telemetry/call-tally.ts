import type { CallSignals } from "../api/protocol.ts";
import { addBuckets, type SeriesWindow } from "./metric-history.ts";
import { quantile } from "./quantile.ts";
import { type BucketCounts, keptMetrics, type Labels } from "./sample.ts";
import { endingOf } from "./unanswered-call.ts";

/** gRPC statuses that are the server's fault, as its 5xx are: unknown, deadline, unimplemented, internal, unavailable, data loss. */
const failedGrpcStatuses: ReadonlySet<string> = new Set(["2", "4", "12", "13", "14", "15"]);
const permissionDenied = "7";

/** Adds up calls over a window: of a service, a version, an edge, or the whole mesh. */
export class CallTally {
  #requests = 0;
  #failed = 0;
  #denied = 0;
  #undelivered = 0;
  #secured = 0;
  #durations: BucketCounts | undefined;
  #tcpConnections = 0;
  #securedOpen = 0;
  #newConnections = 0;
  #securedConnections = 0;

  /** How long the calls took; undefined when nobody said. */
  get durations(): BucketCounts | undefined {
    return this.#durations;
  }

  /** Calls and connections that arrived, as one side of them counted. True when there was any. */
  addArrivals({ sample, increase, bucketIncrease }: SeriesWindow, seconds: number): boolean {
    const { metric, labels, value } = sample;
    const rate = seconds > 0 ? increase / seconds : 0;
    const isSecured = labels.connection_security_policy === "mutual_tls";
    switch (metric) {
      case keptMetrics.requests:
        this.#requests += rate;
        if (isFailure(labels)) this.#failed += rate;
        if (isDenial(labels)) this.#denied += rate;
        if (isSecured) this.#secured += rate;
        return increase > 0;
      case keptMetrics.duration:
        if (bucketIncrease) {
          this.#durations = this.#durations ? addBuckets(this.#durations, bucketIncrease) : bucketIncrease;
        }
        return false;
      case keptMetrics.tcpOpened:
        this.#tcpConnections += value;
        if (isSecured) this.#securedOpen += value;
        this.#newConnections += rate;
        if (isSecured) this.#securedConnections += rate;
        return increase > 0;
      case keptMetrics.tcpClosed:
        this.#tcpConnections -= value;
        if (isSecured) this.#securedOpen -= value;
        return false;
      default:
        return false;
    }
  }

  /** All that another has counted. */
  add(other: CallTally): void {
    this.#requests += other.#requests;
    this.#failed += other.#failed;
    this.#denied += other.#denied;
    this.#undelivered += other.#undelivered;
    this.#secured += other.#secured;
    const { durations } = other;
    if (durations) this.#durations = this.#durations ? addBuckets(this.#durations, durations) : durations;
    this.#tcpConnections += other.#tcpConnections;
    this.#securedOpen += other.#securedOpen;
    this.#newConnections += other.#newConnections;
    this.#securedConnections += other.#securedConnections;
  }

  /** Calls that a caller's sidecar ended; false when the series is not of such calls. */
  addUnanswered({ sample, increase }: SeriesWindow, seconds: number): boolean {
    const { metric, labels } = sample;
    const ending = endingOf(labels);
    if (metric !== keptMetrics.requests || !ending || seconds <= 0) return false;
    if (ending === "undelivered") this.#undelivered += increase / seconds;
    if (isFailure(labels)) this.#failed += increase / seconds;
    return true;
  }

  signals(): CallSignals {
    const rps = this.#requests + this.#undelivered;
    const hasCalls = rps > 0;
    const durations = this.#durations;
    return {
      requestsPerSecond: hasCalls ? rps : undefined,
      successRate: hasCalls ? Math.max(0, 1 - this.#failed / rps) : undefined,
      undeliveredPerSecond: hasCalls ? this.#undelivered : undefined,
      deniedPerSecond: hasCalls ? this.#denied : undefined,
      p50Ms: durations && quantile(durations, 0.5),
      p95Ms: durations && quantile(durations, 0.95),
      p99Ms: durations && quantile(durations, 0.99),
      tcpConnections: Math.max(0, this.#tcpConnections),
      securedRate: this.#securedRate,
    };
  }

  /** Of the calls; where there were none of the new connections, then of those that are open. */
  get #securedRate(): number | undefined {
    if (this.#requests > 0) return this.#secured / this.#requests;
    if (this.#newConnections > 0) return this.#securedConnections / this.#newConnections;
    return this.#tcpConnections > 0 ? this.#securedOpen / this.#tcpConnections : undefined;
  }
}

/** The server's fault, by status of HTTP or gRPC. */
export function isFailure(labels: Labels): boolean {
  if (/^5\d\d$/.test(labels.response_code ?? "")) return true;
  return failedGrpcStatuses.has(labels.grpc_response_status ?? "");
}

/** Refused, by a policy or by the application: 403, or gRPC's PERMISSION_DENIED. */
export function isDenial(labels: Labels): boolean {
  return labels.response_code === "403" || labels.grpc_response_status === permissionDenied;
}
