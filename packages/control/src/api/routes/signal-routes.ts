import { route } from "../route.ts";
import { integer, list, optional, text } from "../schema.ts";
import { edgeReport, historyList, statsGroup, statsReport } from "../signal-protocol.ts";

const window = {
  by: optional(statsGroup),
  windowSeconds: optional(integer(undefined, { minimum: 1, maximum: 120, default: 10 })),
};

export const statsRoute = route({
  id: "stats",
  method: "GET",
  path: "/api/v1/stats",
  role: "read",
  summary: "Golden signals of every service, workload or version",
  query: window,
  answer: statsReport,
  handle: (backend, { query }) => backend.stats(query.by ?? "service", query.windowSeconds ?? 10),
});

export const edgesRoute = route({
  id: "edges",
  method: "GET",
  path: "/api/v1/edges",
  role: "read",
  summary: "Who calls whom",
  query: window,
  answer: edgeReport,
  handle: (backend, { query }) => backend.edges(query.by ?? "service", query.windowSeconds ?? 10),
});

export const historiesRoute = route({
  id: "histories",
  method: "GET",
  path: "/api/v1/history",
  role: "read",
  summary: "The last hour of the mesh, of services, versions or edges",
  query: {
    id: list(
      text("`mesh`, `service:<namespace>/<name>`, `version:…`, `edge:…`", { maxLength: 2048 }),
      undefined,
      { minItems: 1, maxItems: 16 },
    ),
  },
  answer: historyList,
  handle: ({ questions }, { query }) => questions.histories(query.id),
});

export const signalRoutes = [statsRoute, edgesRoute, historiesRoute] as const;
