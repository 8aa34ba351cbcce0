import type { Saturation, StatsGroup, StatsRow } from "../api/protocol.ts";
import { hostnameOf } from "../model/host.ts";
import { spiffeId } from "../model/spiffe-id.ts";
import type { Workload } from "../registry/workload.ts";
import { CallTally } from "./call-tally.ts";
import type { ExporterWindow, SeriesWindow } from "./metric-history.ts";
import { type BucketCounts, keptMetrics } from "./sample.ts";
import { addSaturation, saturationOf } from "./saturation.ts";

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
  const rows = signalGroups(input, by).map((group) => group.row(input.nowMs));
  return rows.sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name));
}

/** The same, before the rows are made of it; in no order. */
export function signalGroups(input: GoldenSignalsInput, by: StatsGroup): readonly SignalGroup[] {
  const windows = new Map(input.windows.map((window) => [window.exporter, window]));
  const groups = new Map<string, SignalGroup>();
  const services = new Map<string, SignalGroup>();
  for (const workload of input.workloads) {
    const { name, version } = groupOf(workload, by);
    const key = `${workload.namespace}/${name}/${version}`;
    let group = groups.get(key);
    if (!group) {
      group = new SignalGroup(name, version, workload, input.trustDomain);
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
  return [...groups.values()];
}

/** What an instance is called in a table: the service it serves, or itself when it only calls. */
export function groupOf(workload: Workload, by: StatsGroup): { name: string; version: string } {
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
export class SignalGroup {
  readonly #name: string;
  readonly #version: string;
  readonly #first: Workload;
  readonly #identity: string;
  readonly #tally = new CallTally();
  readonly #peers = new Set<string>();
  #saturation: Saturation = {};
  #instances = 0;
  #meshed = 0;
  #notBeforeSeconds: number | undefined;
  #notAfterSeconds: number | undefined;

  constructor(name: string, version: string, first: Workload, trustDomain: string) {
    this.#name = name;
    this.#version = version;
    this.#first = first;
    this.#identity = spiffeId(trustDomain, first.namespace, first.serviceAccount);
  }

  get durations(): BucketCounts | undefined {
    return this.#tally.durations;
  }

  add(workload: Workload, window: ExporterWindow | undefined): void {
    this.#instances += 1;
    if (workload.hasSidecar) this.#meshed += 1;
    if (!window) return;
    for (const series of window.series) this.#addSeries(series, window.elapsedMs / 1000);
    this.#saturation = addSaturation(this.#saturation, saturationOf(window.series));
  }

  /** Calls to this service that a caller's sidecar ended. */
  addUnanswered(series: SeriesWindow, seconds: number): void {
    this.#tally.addUnanswered(series, seconds);
  }

  row(nowMs: number): StatsRow {
    const nowSeconds = nowMs / 1000;
    return {
      name: this.#name,
      namespace: this.#first.namespace,
      service: this.#first.service,
      version: this.#version,
      meshed: this.#meshed,
      instances: this.#instances,
      ...this.#tally.signals(),
      ...this.#saturation,
      peers: [...this.#peers].sort(),
      identity: this.#identity,
      certificateAgeSeconds:
        this.#notBeforeSeconds === undefined ? undefined : Math.max(0, nowSeconds - this.#notBeforeSeconds),
      certificateExpiresInSeconds:
        this.#notAfterSeconds === undefined ? undefined : this.#notAfterSeconds - nowSeconds,
    };
  }

  #addSeries(series: SeriesWindow, seconds: number): void {
    const { metric, labels, value } = series.sample;
    if (metric === keptMetrics.certificateNotBefore) {
      this.#notBeforeSeconds = Math.min(value, this.#notBeforeSeconds ?? value);
    } else if (metric === keptMetrics.certificateNotAfter) {
      this.#notAfterSeconds = Math.min(value, this.#notAfterSeconds ?? value);
    } else if (labels.reporter === "destination" && this.#tally.addArrivals(series, seconds)) {
      this.#addPeer(labels.source_principal);
    }
  }

  #addPeer(principal: string | undefined): void {
    if (principal && principal !== "unknown" && this.#peers.size < maxPeers) this.#peers.add(principal);
  }
}
