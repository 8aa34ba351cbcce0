import { canaryStatus } from "./canary-protocol.ts";
import { diagnostic } from "./diagnostic-schema.ts";
import { rotationStatus } from "./rotation-protocol.ts";
import {
  anyObject,
  asked,
  choice,
  either,
  flag,
  type Infer,
  integer,
  list,
  number,
  object,
  optional,
  type Schema,
  text,
} from "./schema.ts";

/**
 * What is said through the API, each shape once: schema and type. JSON both
 * ways, times in milliseconds since the Unix epoch.
 */

export type * from "./authority-protocol.ts";
export type { RotationStatus } from "./rotation-protocol.ts";
export type { JsonObject } from "./schema.ts";
export type * from "./signal-protocol.ts";

export const resourceKey = asked("ResourceKey", {
  kind: text(undefined, { maxLength: 253 }),
  namespace: text(undefined, { maxLength: 253 }),
  name: text(undefined, { maxLength: 253 }),
});
export type ResourceKey = Infer<typeof resourceKey>;

const condition = object("Condition", {
  type: text(),
  status: choice(["True", "False"]),
  reason: text(),
  message: text(),
});
export type ConditionRecord = Infer<typeof condition>;

const routeStatus = object(
  "RouteStatus",
  {
    parents: list(
      object(undefined, {
        parentRef: anyObject() as Schema<object>,
        controllerName: text(),
        conditions: list(condition),
      }),
    ),
  },
  "The status of a route, as the Gateway API has it.",
);
export type RouteStatus = Infer<typeof routeStatus>;

const policyStatus = object(
  "PolicyStatus",
  {
    ancestors: list(
      object(undefined, {
        ancestorRef: anyObject() as Schema<object>,
        controllerName: text(),
        conditions: list(condition),
      }),
    ),
  },
  "The status of a policy for what it is for, as the Gateway API has it.",
);
export type PolicyStatusRecord = Infer<typeof policyStatus>;

const gatewayStatus = object(
  "GatewayStatus",
  {
    conditions: list(condition),
    addresses: optional(list(object(undefined, { type: text(), value: text() }))),
    listeners: optional(
      list(
        object(undefined, {
          name: text(),
          supportedKinds: list(object(undefined, { group: text(), kind: text() })),
          attachedRoutes: integer(),
          conditions: list(condition),
        }),
      ),
    ),
    attachedListenerSets: optional(integer("Of a Gateway: how many of them are accepted.")),
  },
  "The status of a Gateway or a ListenerSet of the Gateway API, or of a GatewayClass, which has conditions alone.",
);
export type GatewayStatusRecord = Infer<typeof gatewayStatus>;

export const resourceSummary = object(
  "ResourceSummary",
  {
    ...resourceKey.properties,
    apiVersion: text(),
    origin: text("Where it came from: `file:line`."),
    revision: integer("That last changed it; 0 where the control plane's own directory holds it."),
    changedAtMs: integer(),
    source: choice(["store", "directory"], "`directory`: from `--config DIR`, changed only there."),
    status: optional(either(either(either(routeStatus, policyStatus), gatewayStatus), canaryStatus)),
  },
  "A resource in force, without its text.",
);
export type ResourceSummary = Infer<typeof resourceSummary>;

export const resourceRecord = object("Resource", {
  ...resourceSummary.properties,
  text: text("The document as it was written, comments included; what is secret in a Secret is left out."),
});
export type ResourceRecord = Infer<typeof resourceRecord>;

export const resourceList = object("ResourceList", { revision: integer(), resources: list(resourceRecord) });
export type ResourceList = Infer<typeof resourceList>;

export const resourceIndex = object("ResourceIndex", {
  revision: integer(),
  resources: list(resourceSummary),
});
export type ResourceIndex = Infer<typeof resourceIndex>;

export const changeAction = choice(["created", "changed", "deleted"]);

export const revisionRecord = object(
  "Revision",
  {
    revision: integer(),
    atMs: integer(),
    author: text("`local`, or a remote operator and how they proved who they are."),
    changes: list(object(undefined, { ...resourceKey.properties, action: changeAction })),
  },
  "One change that was accepted.",
);
export type RevisionRecord = Infer<typeof revisionRecord>;

const syncState = choice(["synced", "stale", "nacked", "not sent"]);
export type SyncState = Infer<typeof syncState>;

const typeSync = object(
  "TypeSync",
  {
    type: text(
      "Short name as `istioctl proxy-status` has it: CDS, LDS, EDS, RDS, SDS, NDS; VHDS: virtual hosts by name.",
    ),
    state: syncState,
    sentVersion: optional(text()),
    ackedVersion: optional(text()),
    sentAtMs: optional(number()),
    ackedAtMs: optional(number()),
    error: optional(text("Why the proxy refused the last resources, in its own words.")),
  },
  "One xDS type of one proxy.",
);
export type TypeSync = Infer<typeof typeSync>;

const proxyStatus = object(
  "ProxyStatus",
  {
    nodeId: text("Full xDS node id."),
    role: choice(["agent", "sidecar"]),
    workload: text("`<instance>.<namespace>`."),
    identity: text("SPIFFE ID of its verified certificate."),
    address: text(),
    version: text('Version of Weft the node said it runs; "" when it did not.'),
    dataPlane: text("Program the node says it is: `envoy/1.40.0`, `gRPC Go/1.85.0`."),
    connectedAtMs: number(),
    state: syncState,
    ackedRevision: integer("The newest that it has acknowledged in every type it subscribes to."),
    types: list(typeSync),
  },
  "One connected xDS client.",
);
export type ProxyStatus = Infer<typeof proxyStatus>;

/** Kinds that the control plane gives by xDS. */
export const xdsKinds = ["listeners", "routes", "clusters", "endpoints"] as const;
export type XdsKind = (typeof xdsKinds)[number];

/** And what it knows of the rest: certificates that it issued, and what the agent started its data plane with. */
export const proxyConfigKinds = [...xdsKinds, "secrets", "bootstrap"] as const;
export type ProxyConfigKind = (typeof proxyConfigKinds)[number];

const proxyResource = object(
  "ProxyResource",
  {
    name: text(),
    version: text(),
    origin: optional(text("`file:line:column` of what made it; absent where registrations alone did.")),
    value: anyObject("The message as JSON, its fields as the protobuf files name them."),
  },
  "One xDS resource as a proxy is given it, a certificate (never its key), or the bootstrap.",
);
export type ProxyResource = Infer<typeof proxyResource>;

export const proxyConfig = object("ProxyConfig", {
  nodeId: text(),
  dataPlane: text(),
  resources: list(proxyResource),
});
export type ProxyConfig = Infer<typeof proxyConfig>;

const workloadStatus = object(
  "WorkloadStatus",
  {
    id: text(),
    workloadName: text(),
    namespace: text(),
    serviceAccount: text(),
    service: text(),
    version: text(),
    addresses: list(text()),
    ports: list(integer()),
    isHealthy: flag(),
    isConnected: flag("False while the agent's stream is gone and its lease has not ended yet."),
    group: optional(text("Its WorkloadGroup.")),
  },
  "One registered workload.",
);
export type WorkloadStatus = Infer<typeof workloadStatus>;

export const statusReport = object("Status", {
  version: text(),
  trustDomain: text(),
  startedAtMs: number(),
  nowMs: number(),
  revision: integer(),
  services: integer(),
  proxies: list(proxyStatus),
  workloads: list(workloadStatus),
  diagnostics: list(diagnostic, "What is wrong or unsupported in the configuration in force."),
  rotation: optional(rotationStatus),
  convergence: object(
    undefined,
    { count: integer(), p50Ms: optional(number()), p99Ms: optional(number()) },
    "Change to last acknowledgement, of the recent pushes.",
  ),
});
export type StatusReport = Infer<typeof statusReport>;

export const syncResult = object("SyncResult", {
  revision: integer(),
  isSynced: flag(),
  elapsedMs: number(),
  acknowledged: list(text()),
  waiting: list(
    object(undefined, { nodeId: text(), state: syncState, error: optional(text()) }),
    "Who has not acknowledged, and why.",
  ),
});
export type SyncResult = Infer<typeof syncResult>;

export const meshEvent = object("Event", {
  number: integer("Counts all events since the start."),
  atMs: number(),
  kind: text(),
  message: text(),
});
export type MeshEvent = Infer<typeof meshEvent>;

export const eventList = object("EventList", { events: list(meshEvent, "Newest last.") });
export type EventList = Infer<typeof eventList>;

/** Where the dashboard is opened. */
export const dashboardLogin = object("DashboardLogin", {
  url: text("Works once."),
  expiresAtMs: number(),
});
export type DashboardLogin = Infer<typeof dashboardLogin>;

export const apiErrorBody = object(
  "Error",
  { error: text(), hint: optional(text("The next step.")), diagnostics: optional(list(diagnostic)) },
  "Body of every answer that is not 2xx.",
);
export type ApiErrorBody = Infer<typeof apiErrorBody>;
