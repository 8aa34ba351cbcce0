import { type KeptMetric, keptMetrics } from "../telemetry/sample.ts";

/** One expression, and what its values are of that metric: the growth over the window, or what it says now. */
export interface CallQuery {
  readonly metric: KeptMetric;
  readonly gives: "growth" | "now";
  readonly query: string;
}

export interface CallQueries {
  /** How many requests ended and connections were opened, and how many connections are open. */
  readonly counts: readonly CallQuery[];
  /** How long requests took: a Prometheus keeps buckets, or native histograms in their place. */
  readonly durations: readonly CallQuery[];
  readonly nativeDurations: readonly CallQuery[];
}

const destination = [
  "reporter",
  "destination_workload",
  "destination_workload_namespace",
  "destination_service",
  "destination_service_name",
  "destination_service_namespace",
  "destination_canonical_service",
  "destination_version",
  "destination_principal",
] as const;
const source = [
  "source_workload",
  "source_workload_namespace",
  "source_canonical_service",
  "source_version",
  "source_principal",
] as const;
const security = "connection_security_policy";
const ending = ["response_code", "grpc_response_status", "response_flags", security] as const;

const arrived = 'reporter="destination"';
/** Which no server's sidecar answered, and which go to servers that have none. */
const unanswered = 'reporter="source",response_flags!="-"';
const outside = 'reporter="source",response_flags="-",destination_principal=~"|unknown"';

/**
 * The expressions that give the calls of a mesh over a time, of Istio's standard
 * metrics: sums of `increase`, which are `rate` times that time.
 *
 * @param window how far back, in Prometheus' words: `24h`
 * @param of `services`: what each answered; `edges`: to whom, and calls to servers without a sidecar
 */
export function callQueries(window: string, of: "services" | "edges"): CallQueries {
  const reports = of === "edges" ? [arrived, outside] : [arrived];
  const ends = of === "edges" ? [...destination, ...source] : destination;
  const sum = (by: readonly string[], value: string): string => `sum by (${by.join(", ")}) (${value})`;
  const growth = (metric: KeptMetric, by: readonly string[], where: string, series: string): CallQuery => ({
    metric,
    gives: "growth",
    query: sum(by, `increase(${series}{${where}}[${window}])`),
  });
  const now = (metric: KeptMetric, where: string): CallQuery => ({
    metric,
    gives: "now",
    query: sum([...ends, security], `${metric}{${where}}`),
  });
  const { requests, duration, tcpOpened, tcpClosed } = keptMetrics;
  // Whoever called is shown of a service as well.
  const all = [...destination, ...source, ...ending];
  return {
    counts: [
      ...[...reports, unanswered].map((where) => growth(requests, all, where, requests)),
      ...reports.flatMap((where) => [
        growth(tcpOpened, [...ends, security], where, tcpOpened),
        now(tcpOpened, where),
        now(tcpClosed, where),
      ]),
    ],
    durations: reports.map((where) => growth(duration, ["le", ...ends], where, `${duration}_bucket`)),
    nativeDurations: reports.map((where) => growth(duration, ends, where, duration)),
  };
}
