import type { Diagnostic } from "@weft/base/diagnostics";
import type {
  CallSignals,
  EdgeEnd,
  MeshEvent,
  ProxyStatus,
  Saturation,
  WorkloadStatus,
} from "../api/protocol.ts";
import type { Mesh } from "../model/mesh.ts";
import { spiffeId } from "../model/spiffe-id.ts";
import type { Workload } from "../registry/workload.ts";
import { CallTally } from "../telemetry/call-tally.ts";
import { type Edge, edges } from "../telemetry/edge-signals.ts";
import { type GoldenSignalsInput, type SignalGroup, signalGroups } from "../telemetry/golden-signals.ts";
import type { ExporterWindow, SeriesWindow } from "../telemetry/metric-history.ts";
import { keptMetrics } from "../telemetry/sample.ts";
import { addSaturation, saturationOf } from "../telemetry/saturation.ts";
import type { DashboardView, MeshSummary, ServiceEdge, ServiceRow, VersionRow, WorkloadRow } from "./view.ts";

export interface ViewInput {
  readonly signals: GoldenSignalsInput;
  readonly mesh: Mesh;
  readonly workloads: readonly WorkloadStatus[];
  readonly proxies: readonly ProxyStatus[];
  readonly problems: readonly Diagnostic[];
  readonly events: readonly MeshEvent[];
  /** Of the summary what is known without counting. */
  readonly about: Pick<
    MeshSummary,
    | "atMs"
    | "startedAtMs"
    | "version"
    | "revision"
    | "windowSeconds"
    | "droppedSeries"
    | "rootNotAfterMs"
    | "hasTraces"
    | "convergenceP99Ms"
  >;
}

/** What one view holds at most, so that watching a mesh of any size costs no more. */
const maxServices = 2_000;
const maxVersions = 4_000;
const maxEdges = 6_000;
const maxWorkloads = 4_000;
const maxProxies = 2_000;
const maxProblems = 500;

/** Signals of the whole mesh and of every part of it, before rows are made. */
export interface MeshSignals {
  readonly mesh: CallTally;
  readonly saturation: Saturation;
  readonly services: ReadonlyMap<string, SignalGroup>;
  readonly versions: ReadonlyMap<string, SignalGroup>;
  readonly edges: ReadonlyMap<string, Edge>;
  /** By workload. */
  readonly saturations: ReadonlyMap<string, Saturation>;
}

/** The mesh as it is now. Numbers are rounded to what can be shown, so that noise is no change. */
export function buildView(input: ViewInput): DashboardView {
  const signals = readSignals(input.signals);
  const services = busiest(serviceRows(input, signals), maxServices);
  const versions = busiest(versionRows(input, signals), maxVersions);
  const edges = busiest(edgeRows(signals), maxEdges);
  const proxies = input.proxies.toSorted(
    (a, b) => Number(a.state === "synced") - Number(b.state === "synced"),
  );
  const workloads = workloadRows(input, signals);
  const shownWorkloads = Object.fromEntries(Object.entries(workloads).slice(0, maxWorkloads));
  const leftOut =
    services.leftOut +
    versions.leftOut +
    edges.leftOut +
    Math.max(0, proxies.length - maxProxies) +
    Math.max(0, input.workloads.length - maxWorkloads);
  return {
    mesh: {
      ...input.about,
      leftOut,
      trustDomain: input.signals.trustDomain,
      ...rounded(signals.mesh.signals()),
      ...roundedSaturation(signals.saturation),
    },
    tables: {
      services: services.rows,
      versions: versions.rows,
      edges: edges.rows,
      workloads: shownWorkloads,
      proxies: Object.fromEntries(proxies.slice(0, maxProxies).map((proxy) => [proxy.nodeId, proxy])),
      problems: Object.fromEntries(input.problems.slice(0, maxProblems).map((one, i) => [i, one])),
      events: Object.fromEntries(input.events.map((event) => [event.number, event])),
    },
  };
}

export function readSignals(input: GoldenSignalsInput): MeshSignals {
  const groups = (by: "service" | "version") =>
    signalGroups(input, by).map((group) => ({ group, row: group.row(input.nowMs) }));
  const found = edges(input, "service");
  const mesh = new CallTally();
  for (const { tally } of found) mesh.add(tally);
  const saturations = new Map<string, Saturation>();
  let saturation: Saturation = {};
  const known = new Set(input.workloads.map(({ id }) => id));
  for (const { exporter, series } of input.windows) {
    if (!known.has(exporter)) continue;
    const own = saturationOf(series);
    saturations.set(exporter, own);
    saturation = addSaturation(saturation, own);
  }
  return {
    mesh,
    saturation,
    saturations,
    services: new Map(groups("service").map(({ group, row }) => [`${row.namespace}/${row.name}`, group])),
    versions: new Map(
      groups("version")
        .filter(({ row }) => row.service !== "")
        .map(({ group, row }) => [`${row.namespace}/${row.service}/${row.version}`, group]),
    ),
    edges: new Map(found.map((edge) => [`${placeId(edge.from)}>${placeId(edge.to)}`, edge])),
  };
}

function serviceIdOf(workload: Workload): string {
  return `${workload.namespace}/${workload.service || workload.labels.app || workload.workloadName}`;
}

function placeId({ namespace, name, isOutside }: EdgeEnd): string {
  return isOutside ? `/${name}` : `${namespace}/${name}`;
}

function serviceRows({ mesh, workloads, signals }: ViewInput, read: MeshSignals): Record<string, ServiceRow> {
  const rows: Record<string, ServiceRow> = {};
  const healthy = new Map<string, number>();
  const strict = new Map<string, number>();
  const byId = new Map(signals.workloads.map((workload) => [workload.id, workload]));
  for (const { id, isHealthy } of workloads) {
    const workload = byId.get(id);
    if (!workload) continue;
    const service = serviceIdOf(workload);
    if (isHealthy) healthy.set(service, (healthy.get(service) ?? 0) + 1);
    if (mesh.workloads.get(id)?.mtlsMode === "STRICT") strict.set(service, (strict.get(service) ?? 0) + 1);
  }
  for (const [id, group] of read.services) {
    const { namespace, name, instances, meshed, service, ...row } = group.row(signals.nowMs);
    rows[id] = {
      namespace,
      name,
      hostname: service === "" ? "" : `${service}.${namespace}.svc.${signals.domainSuffix}`,
      isExternal: false,
      instances,
      meshed,
      healthy: healthy.get(id) ?? 0,
      strict: strict.get(id) ?? 0,
      ...rounded(row),
      ...roundedSaturation(row),
    };
  }
  for (const service of mesh.services.values()) {
    const { namespace, name, hostname, isExternal } = service;
    const id = isExternal ? `/${hostname}` : `${namespace}/${name}`;
    rows[id] ??= {
      namespace: isExternal ? "" : namespace,
      name: isExternal ? hostname : name,
      hostname,
      isExternal,
      instances: 0,
      meshed: 0,
      healthy: 0,
      strict: 0,
      tcpConnections: 0,
    };
  }
  return rows;
}

function versionRows({ signals }: ViewInput, read: MeshSignals): Record<string, VersionRow> {
  const rows: Record<string, VersionRow> = {};
  for (const [id, group] of read.versions) {
    const { namespace, service, version, instances, ...row } = group.row(signals.nowMs);
    rows[id] = { namespace, service, version, instances, ...rounded(row) };
  }
  return rows;
}

function edgeRows(read: MeshSignals): Record<string, ServiceEdge> {
  const rows: Record<string, ServiceEdge> = {};
  for (const [id, { from, to, tally }] of read.edges) {
    const signals = tally.signals();
    if (signals.requestsPerSecond === undefined && signals.tcpConnections === 0) continue;
    rows[id] = {
      from: placeId(from),
      to: placeId(to),
      fromIdentity: from.identity,
      toIdentity: to.identity,
      ...rounded(signals),
    };
  }
  return rows;
}

function workloadRows(
  { workloads, signals }: ViewInput,
  { saturations }: MeshSignals,
): Record<string, WorkloadRow> {
  const windows = new Map(signals.windows.map((window) => [window.exporter, window]));
  const byId = new Map(signals.workloads.map((workload) => [workload.id, workload]));
  return Object.fromEntries(
    workloads.map((status) => [
      status.id,
      {
        ...status,
        identity: spiffeId(signals.trustDomain, status.namespace, status.serviceAccount),
        hasSidecar: byId.get(status.id)?.hasSidecar ?? false,
        ...certificateOf(windows.get(status.id)),
        ...roundedSaturation(saturations.get(status.id) ?? {}),
      },
    ]),
  );
}

function certificateOf(
  window: ExporterWindow | undefined,
): Pick<WorkloadRow, "certificateNotBeforeMs" | "certificateNotAfterMs"> {
  const seconds = (metric: string) =>
    window?.series.find((one: SeriesWindow) => one.sample.metric === metric)?.sample.value;
  const notBefore = seconds(keptMetrics.certificateNotBefore);
  const notAfter = seconds(keptMetrics.certificateNotAfter);
  return {
    certificateNotBeforeMs: notBefore === undefined ? undefined : notBefore * 1000,
    certificateNotAfterMs: notAfter === undefined ? undefined : notAfter * 1000,
  };
}

/** Where there are too many rows, those with the most calls and connections. */
function busiest<Row extends CallSignals>(
  rows: Record<string, Row>,
  most: number,
): { readonly rows: Record<string, Row>; readonly leftOut: number } {
  const entries = Object.entries(rows);
  if (entries.length <= most) return { rows, leftOut: 0 };
  const weight = ({ requestsPerSecond = 0, tcpConnections }: Row): number =>
    requestsPerSecond + tcpConnections;
  entries.sort(([, a], [, b]) => weight(b) - weight(a));
  return { rows: Object.fromEntries(entries.slice(0, most)), leftOut: entries.length - most };
}

function rounded(signals: CallSignals): CallSignals {
  const { requestsPerSecond, undeliveredPerSecond, deniedPerSecond, successRate } = signals;
  const { p50Ms, p95Ms, p99Ms, tcpConnections, securedRate } = signals;
  return {
    requestsPerSecond: digits(requestsPerSecond),
    undeliveredPerSecond: digits(undeliveredPerSecond || undefined),
    deniedPerSecond: digits(deniedPerSecond || undefined),
    successRate: digits(successRate, 4),
    p50Ms: digits(p50Ms),
    p95Ms: digits(p95Ms),
    p99Ms: digits(p99Ms),
    tcpConnections,
    securedRate: digits(securedRate),
  };
}

function roundedSaturation(saturation: Saturation): Saturation {
  return {
    loopUtilization: digits(saturation.loopUtilization, 2),
    loopLagP99Ms: digits(saturation.loopLagP99Ms, 2),
    memoryBytes: digits(saturation.memoryBytes, 2),
    connections: saturation.connections,
    pending: saturation.pending,
  };
}

function digits(value: number | undefined, count = 3): number | undefined {
  return value === undefined ? undefined : Number(value.toPrecision(count));
}
