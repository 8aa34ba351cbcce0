import type { EdgeEnd, EdgeRow, StatsGroup } from "../api/protocol.ts";
import { hostnameOf } from "../model/host.ts";
import { spiffeId } from "../model/spiffe-id.ts";
import { CallTally } from "./call-tally.ts";
import { type GoldenSignalsInput, groupOf } from "./golden-signals.ts";
import type { SeriesWindow } from "./metric-history.ts";
import type { Labels } from "./sample.ts";

/** Edges told apart; calls of yet another one are left out. */
const maxEdges = 20_000;
/** Longest host outside the mesh that is shown. */
const maxHostLength = 120;

/** One edge before its row is made: its calls, and how long they took. */
export interface Edge {
  readonly from: EdgeEnd;
  readonly to: EdgeEnd;
  readonly tally: CallTally;
}

/**
 * Who calls whom. A call is counted by its destination's sidecar, which has seen
 * the caller's certificate: which workload of that identity it was is what the
 * caller says, and is believed only where the certificate bears it out. Calls
 * that never arrived, and calls to what has no sidecar, are counted by their
 * callers'.
 */
export function edgeSignals(input: GoldenSignalsInput, by: StatsGroup): readonly EdgeRow[] {
  const rows = edges(input, by).map(({ from, to, tally }) => ({ from, to, ...tally.signals() }));
  const key = ({ from, to }: EdgeRow) => [from.namespace, from.name, to.namespace, to.name].join("\0");
  const keyed = rows
    .filter((row) => row.requestsPerSecond !== undefined || row.tcpConnections > 0)
    .map((row) => ({ row, key: key(row) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ row }) => row);
}

/** The same, before the rows are made of it; also edges that rest. */
export function edges(input: GoldenSignalsInput, by: StatsGroup): readonly Edge[] {
  const places = new Places(input, by);
  const found = new Map<string, Edge>();
  const edge = (from: EdgeEnd, to: EdgeEnd): CallTally | undefined => {
    const key = [from.isOutside, from.namespace, from.name, to.namespace, to.name].join("\0");
    let one = found.get(key);
    if (!one && found.size < maxEdges) {
      one = { from, to, tally: new CallTally() };
      found.set(key, one);
    }
    return one?.tally;
  };
  for (const { exporter, elapsedMs, series } of input.windows) {
    const self = places.ofExporter(exporter);
    if (!self) continue;
    for (const one of series) {
      const { labels } = one.sample;
      if (labels.reporter === "destination") {
        edge(places.ofCaller(labels), self)?.addArrivals(one, elapsedMs / 1000);
      } else if (labels.reporter === "source") {
        addReported(one, self, elapsedMs / 1000, places, edge);
      }
    }
  }
  return [...found.values()];
}

function addReported(
  series: SeriesWindow,
  self: EdgeEnd,
  seconds: number,
  places: Places,
  edge: (from: EdgeEnd, to: EdgeEnd) => CallTally | undefined,
): void {
  const host = series.sample.labels.destination_service ?? "";
  const destination = places.ofHost(host);
  const to = destination?.end ?? outside(host === "" ? "unknown" : host.slice(0, maxHostLength));
  if (edge(self, to)?.addUnanswered(series, seconds) || destination?.isMeshed) return;
  edge(self, to)?.addArrivals(series, seconds);
}

function outside(name: string): EdgeEnd {
  return { namespace: "", name, identity: "", isOutside: true };
}

/** Where the ends of edges are, by the registrations of now: one object for each place. */
class Places {
  readonly #ends = new Map<string, EdgeEnd>();
  readonly #exporters = new Map<string, EdgeEnd>();
  /** By `<namespace>/<workload>`. */
  readonly #workloads = new Map<string, { readonly end: EdgeEnd; readonly identity: string }>();
  /** Undefined where workloads of one identity are several places. */
  readonly #identities = new Map<string, EdgeEnd | undefined>();
  readonly #hosts = new Map<string, { readonly end: EdgeEnd; isMeshed: boolean }>();
  readonly #nobody = outside("unknown");

  constructor({ workloads, trustDomain, domainSuffix }: GoldenSignalsInput, by: StatsGroup) {
    for (const workload of workloads) {
      const { namespace, workloadName, service, hasSidecar } = workload;
      const identity = spiffeId(trustDomain, namespace, workload.serviceAccount);
      const end = this.#end(namespace, groupOf(workload, by).name, identity);
      this.#exporters.set(workload.id, end);
      this.#workloads.set(`${namespace}/${workloadName}`, { end, identity });
      const isAlone = !this.#identities.has(identity) || this.#identities.get(identity) === end;
      this.#identities.set(identity, isAlone ? end : undefined);
      if (service === "") continue;
      const host = hostnameOf(service, namespace, { domainSuffix });
      const known = this.#hosts.get(host);
      if (known) known.isMeshed ||= hasSidecar;
      // For most calls that never arrived no version and no workload was chosen.
      else this.#hosts.set(host, { end: this.#end(namespace, service, identity), isMeshed: hasSidecar });
    }
  }

  ofExporter(id: string): EdgeEnd | undefined {
    return this.#exporters.get(id);
  }

  ofHost(host: string): { readonly end: EdgeEnd; readonly isMeshed: boolean } | undefined {
    return this.#hosts.get(host);
  }

  ofCaller(labels: Labels): EdgeEnd {
    const principal = labels.source_principal ?? "unknown";
    if (!principal.startsWith("spiffe://")) return this.#nobody;
    const said = this.#workloads.get(`${labels.source_workload_namespace}/${labels.source_workload}`);
    if (said?.identity === principal) return said.end;
    const only = this.#identities.get(principal);
    if (only) return only;
    const [, namespace = "", name = principal] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(principal) ?? [];
    return { namespace, name, identity: principal, isOutside: !this.#identities.has(principal) };
  }

  #end(namespace: string, name: string, identity: string): EdgeEnd {
    const key = `${namespace}/${name}`;
    let end = this.#ends.get(key);
    if (!end) {
      end = { namespace, name, identity, isOutside: false };
      this.#ends.set(key, end);
    }
    return end;
  }
}
