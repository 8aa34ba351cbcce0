import {
  analysis,
  encodedResource,
  meshNames,
  namedTypes,
  registrations,
  workloadViews,
} from "../mesh-protocol.ts";
import { eventList, meshEvent, proxyConfig, proxyConfigKinds, statusReport } from "../protocol.ts";
import { callExplanation, serviceDetail, traceReport } from "../question-protocol.ts";
import { ApiRefusal } from "../refusal.ts";
import { route, streamRoute } from "../route.ts";
import { choice, integer, list, optional, type Schema, text } from "../schema.ts";

export const statusRoute = route({
  id: "status",
  method: "GET",
  path: "/api/v1/status",
  role: "read",
  summary: "Every proxy and whether it is in sync, every workload, and what is wrong",
  answer: statusReport,
  handle: (backend) => backend.status(),
});

export const eventsRoute = route({
  id: "events",
  method: "GET",
  path: "/api/v1/events",
  role: "read",
  summary: "What happened in the mesh",
  query: { limit: optional(integer(undefined, { minimum: 1, maximum: 1_000, default: 100 })) },
  answer: eventList,
  handle: (backend, { query }) => backend.events(query.limit ?? 100),
});

export const watchEventsRoute = streamRoute({
  id: "watchEvents",
  method: "GET",
  path: "/api/v1/events/watch",
  role: "read",
  summary: "What happens in the mesh from now on",
  answer: meshEvent,
  handle: (backend, { signal }) => backend.watchEvents(signal),
});

export const proxyConfigRoute = route({
  id: "proxyConfig",
  method: "GET",
  path: "/api/v1/proxies/{workload}/{kind}",
  role: "read",
  summary: "What a proxy is given, and where it was written; certificates without their keys",
  params: { workload: text("An id, or the beginning of exactly one."), kind: choice(proxyConfigKinds) },
  answer: proxyConfig,
  handle: (backend, { params }) => backend.proxyConfig(params.workload, params.kind),
});

export const findWorkloadsRoute = route({
  id: "findWorkloads",
  method: "GET",
  path: "/api/v1/workloads",
  role: "read",
  summary: "The workloads of a name or at an address: one of the two",
  query: { name: optional(text()), address: optional(text()) },
  answer: workloadViews,
  handle(backend, { query: { name, address } }) {
    if (name !== undefined && address === undefined) return backend.findWorkloads({ name });
    if (address !== undefined && name === undefined) return backend.findWorkloads({ address });
    throw new ApiRefusal(400, { error: "workloads are looked for by name= or address=" });
  },
});

export const encodedResourceRoute = route({
  id: "encodedResource",
  method: "GET",
  path: "/api/v1/workloads/{workload}/{type}/{name}",
  role: "read",
  summary: "One xDS resource as a sidecar of a workload is given it",
  params: { workload: text(), type: choice(namedTypes), name: text() },
  query: { host: optional(text("Of routes: only those that requests for this host can take.")) },
  answer: encodedResource,
  handle: (backend, { params: { workload, type, name }, query: { host } }) =>
    backend.encodedResource(workload, type, name, host),
});

export const meshNamesRoute = route({
  id: "meshNames",
  method: "GET",
  path: "/api/v1/names",
  role: "read",
  summary: "Every host of the mesh",
  answer: meshNames,
  handle: (backend) => backend.meshNames(),
});

export const registrationsRoute = route({
  id: "registrations",
  method: "GET",
  path: "/api/v1/registrations",
  role: "read",
  summary: "Every workload as it registered",
  answer: registrations,
  handle: (backend) => backend.registrations(),
});

export const analysisRoute = route({
  id: "analysis",
  method: "GET",
  path: "/api/v1/analysis",
  role: "read",
  summary: "Everything that is wrong or questionable about the mesh as it is",
  answer: analysis,
  handle: (backend) => backend.analysis(),
});

export const explainRoute = route({
  id: "explain",
  method: "GET",
  path: "/api/v1/explanation",
  role: "read",
  summary: "What a call would do and why, and whether it is allowed",
  query: {
    from: text("The workload that calls."),
    to: text("A URL."),
    method: optional(text(undefined, { maxLength: 64 })),
    header: optional(list(text("`name: value`"), undefined, { maxItems: 64 })),
  },
  answer: callExplanation,
  handle: ({ questions }, { query: { from, to, method = "GET", header = [] } }) =>
    questions.explain({ from, to, method, headers: header }),
});

export const traceRoute = route({
  id: "trace",
  method: "GET",
  path: "/api/v1/traces/{id}",
  role: "read",
  summary: "One trace, of the tracing system that the control plane was told of",
  params: { id: text() },
  answer: traceReport,
  handle: ({ questions }, { params }) => questions.trace(params.id),
});

export const serviceRoute = route({
  id: "service",
  method: "GET",
  path: "/api/v1/services/{hostname}",
  role: "read",
  summary: "Routes, subsets, policies and failing calls of one service",
  params: { hostname: text() },
  answer: serviceDetail,
  handle: ({ questions }, { params }) => questions.service(params.hostname),
});

export const debugRoute = route({
  id: "debug",
  method: "GET",
  path: "/debug/{page}",
  role: "read",
  summary: "Istio's debug pages: syncz, configz, endpointz, registryz",
  params: { page: text() },
  answer: { type: "array", items: {} } as Schema<unknown>,
  handle: (backend, { params }) => backend.debug(params.page),
});

export const meshRoutes = [
  statusRoute,
  eventsRoute,
  watchEventsRoute,
  proxyConfigRoute,
  findWorkloadsRoute,
  encodedResourceRoute,
  meshNamesRoute,
  registrationsRoute,
  analysisRoute,
  explainRoute,
  traceRoute,
  serviceRoute,
  debugRoute,
] as const;
