import type { StatsGroup, StatsRow } from "../api/protocol.ts";
import { hostnameOf } from "../model/host.ts";
import type { Workload } from "../registry/workload.ts";
import { addBuckets, type ExporterWindow, type SeriesWindow } from "./metric-history.ts";
import { quantile } from "./quantile.ts";
import { type BucketCounts, keptMetrics, type Labels } from "./sample.ts";
import { endingOf } from "./unanswered-call.ts";

export interface GoldenSignalsInput {
  readonly windows: readonly ExporterWindow[];
  readonly workloads: readonly Workload[];
  readonly trustDomain: string;
  /** What ends the hostname of a service, e.g. `cluster.local`. */
  readonly domainSuffix: string;
  readonly nowMs: number;
}

/** Peers named per row; the rest are left out. */
const maxPeers = 32;

/** gRPC statuses that are the server's fault, as its 5xx are: unknown, deadline, unimplemented, internal, unavailable, data loss. */
const failedGrpcStatuses: ReadonlySet<string> = new Set(["2", "4", "12", "13", "14", "15"]);

/**
 * The golden signals of everything that serves, as its own sidecars saw it
 * (`reporter="destination"`), one row per service, workload or version.
 *
 * To a service are added the calls that its callers' sidecars report to have
 * ended before it answered: injected faults, no healthy endpoint, timeouts. No
 * version and no workload was chosen for most of them, so rows of those are
 * without. They can add calls and failures, which `undeliveredPerSecond` shows
 * apart, and nothing else: a workload's other labels change no row but its own.
 */
export function goldenSignals(input: GoldenSignalsInput, by: StatsGroup): readonly StatsRow[] {
  const windows = new Map(input.windows.map((window) => [window.exporter, window]));
  const groups = new Map<string, Group>();
  const services = new Map<string, Group>();
  for (const workload of input.workloads) {
    const { name, version } = groupOf(workload, by);
    const key = `${workload.namespace}/${name}/${version}`;
    let group = groups.get(key);
    if (!group) {
      group = new Group(name, version, workload, input.trustDomain);
      groups.set(key, group);
    }
    group.add(workload, windows.get(workload.id));
    if (by === "service" && workload.service) {
      services.set(hostnameOf(workload.service, workload.namespace, input), group);
    }
  }
  for (const { series, elapsedMs } of services.size > 0 ? input.windows : []) {
    for (const one of series) {
      if (one.sample.labels.reporter !== "source") continue;
      services.get(one.sample.labels.destination_service ?? "")?.addUnanswered(one, elapsedMs / 1000);
    }
  }
  const rows = [...groups.values()].map((group) => group.row(input.nowMs));
  return rows.sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name));
}

/** What an instance is called in a table: the service it serves, or itself when it only calls. */
function groupOf(workload: Workload, by: StatsGroup): { name: string; version: string } {
  const service = workload.service || workload.labels.app || workload.workloadName;
  const version = workload.labels.version ?? "";
  if (by === "service") return { name: service, version: "" };
  if (by === "workload") return { name: workload.workloadName, version };
  return { name: version ? `${service} ${version}` : service, version };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Adds up what the instances of one row exported. */
class Group {
  readonly #name: string;
  readonly #version: string;
  readonly #first: Workload;
  readonly #identity: string;
  readonly #peers = new Set<string>();
  #instances = 0;
  #meshed = 0;
  #requestsPerSecond = 0;
  #failedPerSecond = 0;
  #undeliveredPerSecond = 0;
  #securedPerSecond = 0;
  #durations: BucketCounts | undefined;
  #tcpConnections = 0;
  #securedConnections = 0;
  #newConnections = 0;
  #notBeforeSeconds: number | undefined;
  #notAfterSeconds: number | undefined;

  constructor(name: string, version: string, first: Workload, trustDomain: string) {
    this.#name = name;
    this.#version = version;
    this.#first = first;
    this.#identity = `spiffe://${trustDomain}/ns/${first.namespace}/sa/${first.serviceAccount}`;
  }

  add(workload: Workload, window: ExporterWindow | undefined): void {
    this.#instances += 1;
    if (workload.hasSidecar) this.#meshed += 1;
    for (const series of window?.series ?? []) this.#addSeries(series, window!.elapsedMs / 1000);
  }

  /** Calls to this service that a caller's sidecar ended. */
  addUnanswered({ sample, increase }: SeriesWindow, seconds: number): void {
    const { metric, labels } = sample;
    const ending = endingOf(labels);
    if (metric !== keptMetrics.requests || !ending || seconds <= 0) return;
    if (ending === "undelivered") this.#undeliveredPerSecond += increase / seconds;
    if (isFailure(labels)) this.#failedPerSecond += increase / seconds;
  }

  row(nowMs: number): StatsRow {
    const hasArrivals = this.#requestsPerSecond > 0;
    const rps = this.#requestsPerSecond + this.#undeliveredPerSecond;
    const hasCalls = rps > 0;
    const arrivals = hasArrivals ? this.#requestsPerSecond : this.#newConnections;
    const secured = hasArrivals ? this.#securedPerSecond : this.#securedConnections;
    const nowSeconds = nowMs / 1000;
    return {
      name: this.#name,
      namespace: this.#first.namespace,
      service: this.#first.service,
      version: this.#version,
      meshed: this.#meshed,
      instances: this.#instances,
      requestsPerSecond: hasCalls ? rps : undefined,
      successRate: hasCalls ? Math.max(0, 1 - this.#failedPerSecond / rps) : undefined,
      undeliveredPerSecond: hasCalls ? this.#undeliveredPerSecond : undefined,
      p50Ms: this.#durations && quantile(this.#durations, 0.5),
      p95Ms: this.#durations && quantile(this.#durations, 0.95),
      p99Ms: this.#durations && quantile(this.#durations, 0.99),
      tcpConnections: Math.max(0, this.#tcpConnections),
      peers: [...this.#peers].sort(),
      securedRate: arrivals > 0 ? secured / arrivals : undefined,
      identity: this.#identity,
      certificateAgeSeconds:
        this.#notBeforeSeconds === undefined ? undefined : Math.max(0, nowSeconds - this.#notBeforeSeconds),
      certificateExpiresInSeconds:
        this.#notAfterSeconds === undefined ? undefined : this.#notAfterSeconds - nowSeconds,
    };
  }

  #addSeries({ sample, increase, bucketIncrease }: SeriesWindow, seconds: number): void {
    const { metric, labels, value } = sample;
    if (metric === keptMetrics.certificateNotBefore) {
      this.#notBeforeSeconds = Math.min(value, this.#notBeforeSeconds ?? value);
      return;
    }
    if (metric === keptMetrics.certificateNotAfter) {
      this.#notAfterSeconds = Math.min(value, this.#notAfterSeconds ?? value);
      return;
    }
    if (labels.reporter !== "destination") return;
    const rate = seconds > 0 ? increase / seconds : 0;
    const isSecured = labels.connection_security_policy === "mutual_tls";
    if (metric === keptMetrics.requests) {
      this.#requestsPerSecond += rate;
      if (isFailure(labels)) this.#failedPerSecond += rate;
      if (isSecured) this.#securedPerSecond += rate;
      if (increase > 0) this.#addPeer(labels.source_principal);
    } else if (metric === keptMetrics.duration && bucketIncrease) {
      this.#durations = this.#durations ? addBuckets(this.#durations, bucketIncrease) : bucketIncrease;
    } else if (metric === keptMetrics.tcpOpened) {
      this.#tcpConnections += value;
      this.#newConnections += rate;
      if (isSecured) this.#securedConnections += rate;
      if (increase > 0) this.#addPeer(labels.source_principal);
    } else if (metric === keptMetrics.tcpClosed) {
      this.#tcpConnections -= value;
    }
  }

  #addPeer(principal: string | undefined): void {
    if (principal && principal !== "unknown" && this.#peers.size < maxPeers) this.#peers.add(principal);
  }
}

function isFailure(labels: Labels): boolean {
  if (/^5\d\d$/.test(labels.response_code ?? "")) return true;
  return failedGrpcStatuses.has(labels.grpc_response_status ?? "");
}
