import { choice, flag, type Infer, integer, list, number, object, optional, text } from "./schema.ts";

/** What is asked about a call, a trace or a service when somebody looks at it. */

const explainedStep = object("ExplainedStep", {
  at: text("Whose proxy: a workload's id."),
  step: text("What decides: `listener`, `route`, `cluster`, `authorization` …"),
  chosen: text(),
  detail: optional(text()),
  origin: optional(text("Where it was written: `file:line:column`.")),
  lost: optional(list(object(undefined, { what: text(), why: text(), origin: optional(text()) }))),
});
export type ExplainedStep = Infer<typeof explainedStep>;

export const callExplanation = object(
  "CallExplanation",
  {
    request: object(undefined, { method: text(), url: text() }),
    caller: object(undefined, { workload: text(), identity: text() }),
    steps: list(explainedStep),
    outcome: object(undefined, {
      result: choice(["forwarded", "answered", "denied", "refused", "undecided"]),
      summary: text(),
      status: optional(integer()),
      flags: optional(text()),
      destinations: list(
        object(undefined, {
          service: text(),
          subset: text(),
          percent: number(),
          endpoints: integer(),
          tls: choice(["mutual", "tls", "none"]),
          problem: optional(object(undefined, { status: integer(), flags: text(), why: text() })),
        }),
      ),
    }),
  },
  "What a call would do and why, as `weft explain -o json` has it.",
);
export type CallExplanation = Infer<typeof callExplanation>;

const traceSpan = object("TraceSpan", {
  id: text(),
  depth: integer(),
  service: text(),
  operation: text(),
  startMs: number("After the trace's start."),
  durationMs: number(),
  isFailed: flag(),
  notes: list(text(), "What says most about it: status, flags, route, retries."),
});
export type TraceSpan = Infer<typeof traceSpan>;

export const traceReport = object(
  "TraceReport",
  {
    traceId: text(),
    link: text("Where the same is in the tracing system's own pages."),
    durationMs: number(),
    spans: list(traceSpan),
  },
  "One trace as a waterfall: spans in the order of their start, parents before children.",
);
export type TraceReport = Infer<typeof traceReport>;

const routeDetail = object("RouteDetail", {
  protocol: choice(["http", "tls", "tcp"]),
  name: text(),
  match: text(),
  action: text("What happens with what matches, where that is not just forwarding."),
  destinations: list(
    object(undefined, { host: text(), subset: text(), share: number("Of the sum of all.") }),
  ),
  config: text("Resource path."),
  origin: text("`file:line:column`."),
});
export type RouteDetail = Infer<typeof routeDetail>;

const policyDetail = object("PolicyDetail", {
  action: choice(["ALLOW", "DENY", "AUDIT", "CUSTOM"]),
  name: text(),
  namespace: text(),
  rules: integer(),
  origin: text(),
});
export type PolicyDetail = Infer<typeof policyDetail>;

const failingCalls = object(
  "FailingCalls",
  {
    from: text(),
    version: text('Which version answered; "" when none did.'),
    responseCode: text(),
    grpcStatus: text(),
    flags: text('Envoy\'s response flags; "" when the application answered by itself.'),
    calls: number(),
    origin: optional(text("What decides about such calls; absent where no resource does.")),
  },
  "Calls of the last two minutes that failed alike.",
);
export type FailingCalls = Infer<typeof failingCalls>;

const recentFailure = object(
  "RecentFailure",
  {
    at: text("Whose data plane tells it: a workload's id."),
    atMs: number(),
    requestId: text(),
    from: text(),
    method: text(),
    path: text(),
    status: integer(),
    flags: text(),
    details: text(),
    decidedBy: text("Where a data plane answered by itself."),
    origin: optional(text("Of the rule that decided, or of the route.")),
  },
  "A request that failed and is remembered.",
);
export type RecentFailure = Infer<typeof recentFailure>;

const recordedEnd = object(
  "RecordedEnd",
  {
    at: text("Whose data plane recorded it: a workload's id."),
    direction: text(),
    startedMs: number(),
    durationMs: number(),
    status: integer(),
    flags: text(),
    details: text(),
    attempts: integer(),
    upstreamHost: text(),
    route: text(),
    routeOrigin: text(),
    decidedBy: text(),
    decidedOrigin: text(),
    changes: list(object(undefined, { type: text(), name: text(), atMs: number() })),
  },
  "What one data plane recorded of a call.",
);

const observedExplanation = object("ObservedExplanation", {
  ...callExplanation.properties,
  recorded: list(recordedEnd),
  isConfigurationSame: flag("What decided is still in force, as far as the data planes know."),
  isSameNow: flag("The mesh would answer so now."),
  unknown: list(text(), "What of the request was not kept."),
  traceId: text('"" where it has none.'),
});
export type ObservedExplanation = Infer<typeof observedExplanation>;

export const observedExplanations = object("ObservedExplanations", {
  calls: list(observedExplanation, "Of one request id, the first first."),
});
export type ObservedExplanations = Infer<typeof observedExplanations>;

export const serviceDetail = object("ServiceDetail", {
  hostname: text(),
  ports: list(object(undefined, { number: integer(), name: text(), protocol: text() })),
  origin: optional(text()),
  destinationRule: optional(text()),
  subsets: list(object(undefined, { name: text(), version: text(), origin: text() })),
  routes: list(routeDetail),
  policies: list(policyDetail),
  mtlsModes: list(text(), "What its workloads accept: STRICT, PERMISSIVE, DISABLE."),
  failures: list(failingCalls),
  recentFailures: list(recentFailure, "The newest first."),
});
export type ServiceDetail = Infer<typeof serviceDetail>;
