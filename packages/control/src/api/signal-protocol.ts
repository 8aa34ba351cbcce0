import {
  choice,
  flag,
  type Infer,
  integer,
  list,
  nullable,
  number,
  object,
  optional,
  text,
} from "./schema.ts";

/** Golden signals as the API has them. */

export const statsGroup = choice(["service", "workload", "version"]);
export type StatsGroup = Infer<typeof statsGroup>;

const share = { minimum: 0, maximum: 1 };

export const callSignals = object(
  "CallSignals",
  {
    requestsPerSecond: optional(
      number("Calls that arrived, and those to the service that were ended before they could."),
    ),
    undeliveredPerSecond: optional(
      number(
        "Of them those that never arrived: their callers' sidecars answered. Only of services and edges.",
      ),
    ),
    deniedPerSecond: optional(
      number("Of them those answered with 403 or PERMISSION_DENIED, by a policy or by the application."),
    ),
    successRate: optional(number(undefined, share)),
    p50Ms: optional(number()),
    p95Ms: optional(number()),
    p99Ms: optional(number()),
    tcpConnections: number("Connections that are open now."),
    securedRate: optional(number("Calls that arrived with mutual TLS, of all.", share)),
  },
  "Golden signals of calls over a window. Absent numbers: no calls.",
);
export type CallSignals = Infer<typeof callSignals>;

export const saturation = object(
  "Saturation",
  {
    loopUtilization: optional(number("Share of time the event loop was busy.", share)),
    loopLagP99Ms: optional(number()),
    memoryBytes: optional(number()),
    connections: optional(number()),
    pending: optional(number("Requests that wait for a connection.")),
    openBreakers: optional(
      number("Circuit breakers that let no more connections, requests or waiting requests through."),
    ),
    openFiles: optional(number()),
  },
  "How full data planes are: of several, the busiest loop and the sum of the rest. Absent: nobody said.",
);
export type Saturation = Infer<typeof saturation>;

const statsRow = object(
  "StatsRow",
  {
    ...callSignals.properties,
    ...saturation.properties,
    name: text(),
    namespace: text(),
    service: text(),
    version: text(),
    meshed: integer("Instances with a sidecar."),
    instances: integer(),
    peers: list(text(), "SPIFFE IDs of who called."),
    identity: text("Of the instances."),
    certificateAgeSeconds: optional(number()),
    certificateExpiresInSeconds: optional(number()),
  },
  "Golden signals of one service, workload or version over the window.",
);
export type StatsRow = Infer<typeof statsRow>;

export const statsReport = object("StatsReport", {
  windowSeconds: number(),
  rows: list(statsRow),
  droppedSeries: integer("Series that were not kept because a workload sent too many."),
});
export type StatsReport = Infer<typeof statsReport>;

const edgeEnd = object("EdgeEnd", {
  namespace: text('"" outside the mesh.'),
  name: text("As `StatsRow.name` has it; a host, or `unknown`, outside the mesh."),
  identity: text('SPIFFE ID; "" when no certificate said it.'),
  isOutside: flag("No workload of the mesh."),
});
export type EdgeEnd = Infer<typeof edgeEnd>;

const edgeRow = object(
  "Edge",
  { ...callSignals.properties, from: edgeEnd, to: edgeEnd },
  "Who calls whom: calls from one service, workload or version to another.",
);
export type EdgeRow = Infer<typeof edgeRow>;

export const edgeReport = object("EdgeReport", { windowSeconds: number(), rows: list(edgeRow) });
export type EdgeReport = Infer<typeof edgeReport>;

const points = list(nullable(number()));

const historyReport = object(
  "History",
  {
    startMs: number(),
    stepMs: number(),
    rps: points,
    success: points,
    p50: points,
    p95: points,
    p99: points,
    denied: points,
    tcp: points,
    saturation: list(
      nullable(number()),
      "Of the busiest sidecar: the share of time its event loop was busy.",
    ),
    heat: optional(
      object(
        undefined,
        { boundsMs: list(number()), counts: list(list(number())) },
        "Calls by how long they took, of each point; one count more than bounds, and none where it was silent.",
      ),
    ),
  },
  "One hour of golden signals, oldest point first; null where nothing was measured.",
);
export type HistoryReport = Infer<typeof historyReport>;

export const historyList = object("HistoryList", {
  histories: list(nullable(historyReport), "As they were asked for; null where there is none."),
});
export type HistoryList = Infer<typeof historyList>;
