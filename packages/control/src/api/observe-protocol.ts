import { asked, choice, flag, type Infer, integer, list, number, object, optional, text } from "./schema.ts";

/** Single requests as the API has them. */

const name = (description: string) => optional(text(description, { minLength: 1, maxLength: 2048 }));
const status = optional(integer(undefined, { minimum: 100, maximum: 599 }));

const selection = {
  workload: name("Whose data planes are looked at: a workload, deployment, service or app; absent: all."),
  from: name("Who sent them."),
  to: name("To whom; also a host outside the mesh."),
  direction: optional(choice(["inbound", "outbound"])),
  pathPrefix: name("What the path begins with."),
  method: name("In upper case."),
  statusMin: status,
  statusMax: status,
};

const requestSelection = asked(undefined, selection);
/** Which requests somebody wants to see. Names are as `MeshView.findWorkloads` understands them. */
export type RequestSelection = Infer<typeof requestSelection>;

export const tapRequest = asked("TapRequest", {
  ...selection,
  maxPerSecond: optional(
    integer("Requests, of each data plane.", { minimum: 1, maximum: 10_000, default: 100 }),
  ),
  endsOnly: optional(flag("Only what is over.")),
});
export type TapRequest = Infer<typeof tapRequest>;

export const recallRequest = asked("RecallRequest", {
  ...selection,
  requestId: name("Of `x-request-id`."),
  sinceMs: optional(integer("What ended then or later.", { minimum: 0 })),
  limit: optional(integer("Of each data plane.", { minimum: 1, maximum: 500 })),
  withHeaders: optional(flag("With the fields of requests, whose secret values are hidden.")),
});
export type RecallRequest = Infer<typeof recallRequest>;

const party = object("ObservedParty", {
  workload: text('`<deployment>.<namespace>`; "" where it is not known, as the others.'),
  version: text(),
  identity: text("SPIFFE ID, where a certificate proved it."),
});

const observedRequest = object(
  "ObservedRequest",
  {
    id: text("Unique within its data plane."),
    direction: text("`inbound` or `outbound`."),
    startedMs: number(),
    durationMs: number(),
    responseMs: number("Until the answer began; 0 while it has not."),
    upstreamMs: number("Until the upstream's answer began."),
    requestId: text(),
    method: text('"" for a connection without requests.'),
    authority: text(),
    path: text(),
    protocol: text(),
    headers: optional(list(text(), "Names and values in turn.")),
    userAgent: text(),
    forwardedFor: text(),
    downstreamRemote: text(),
    downstreamLocal: text(),
    serverName: text(),
    upstreamHost: text(),
    upstreamLocal: text(),
    upstreamFailure: text(),
    attempts: integer(),
    source: optional(party),
    destination: optional(party),
    isMutualTls: flag(),
    status: integer(),
    grpcStatus: text(),
    flags: text("Envoy's response flags."),
    details: text("Envoy's response code details."),
    isLocalReply: flag(),
    bytesReceived: number(),
    bytesSent: number(),
    route: text(),
    routeOrigin: text("`file:line:column`."),
    routeConfig: text(),
    cluster: text(),
    decidedOrigin: text("Of the rule that decided, where the data plane answered by itself."),
    decidedBy: text(),
    changes: optional(
      list(
        object(undefined, { type: text(), name: text(), atMs: number("0: at a time nobody knows.") }),
        "Configuration that concerns it and was changed after it began.",
      ),
    ),
  },
  "A request as one data plane saw it. Never its body; no value that its name says is secret.",
);

export const tapLine = object("TapLine", {
  workload: optional(text("Of whose data plane: a workload's id.")),
  event: optional(object(undefined, { phase: choice(["req", "rsp", "end"]), request: observedRequest })),
  watching: optional(integer("Comes first: how many data planes are looked at.")),
  unseen: optional(list(text(), "Workloads whose data planes do not show requests.")),
  lost: optional(integer("So far: what was not read in time.")),
  limited: optional(integer("So far: what was over the limit.")),
});
export type TapLine = Infer<typeof tapLine>;

const recalledRequest = object("RecalledRequest", {
  workload: text("Whose data plane saw it: a workload's id."),
  request: observedRequest,
});
export type RecalledRequest = Infer<typeof recalledRequest>;

export const recallAnswer = object("RecallAnswer", {
  requests: list(recalledRequest, "The oldest first."),
  asked: integer(),
  unseen: list(text(), "Workloads whose data planes did not answer, or do not show requests."),
});
export type RecallAnswer = Infer<typeof recallAnswer>;
