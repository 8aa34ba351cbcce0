import type { Workload } from "../registry/workload.ts";
import { diagnostic } from "./diagnostic-schema.ts";
import {
  choice,
  flag,
  type Infer,
  integer,
  list,
  number,
  object,
  optional,
  type Schema,
  table,
  text,
} from "./schema.ts";

/** What is asked about a mesh by those who want to know what calls in it would do. */

export const analysis = object("Analysis", {
  diagnostics: list(diagnostic, "Of files, references and the mesh, as `weft analyze` has them."),
});
export type Analysis = Infer<typeof analysis>;

const interception = choice(["REDIRECT", "NONE"]);

const workloadView = object(
  "WorkloadView",
  {
    id: text(),
    workloadName: text("What the instances of one deployment share."),
    namespace: text(),
    identity: text("SPIFFE ID."),
    labels: table(text()),
    addresses: list(text()),
    interception,
    upstreams: list(
      object(undefined, { hostname: text(), port: integer(), bindAddress: text(), bindPort: integer() }),
      "Where it reaches what, with interception `NONE`.",
    ),
  },
  "A workload, as far as it matters to who asks what calls between workloads would do.",
);
export type WorkloadView = Infer<typeof workloadView>;

export const workloadViews = object("WorkloadViews", {
  workloads: list(workloadView),
  known: list(text(), "Some of the ids there are, where nothing was found."),
});
export type WorkloadViews = Infer<typeof workloadViews>;

const meshName = object(
  "MeshName",
  {
    hostname: text(),
    name: text(),
    namespace: text(),
    isExternal: flag(),
    addresses: list(text(), "What it resolves to."),
    ports: list(integer()),
  },
  "A host of the mesh.",
);
export type MeshName = Infer<typeof meshName>;

export const meshNames = object("MeshNames", { names: list(meshName) });
export type MeshNames = Infer<typeof meshNames>;

/** Types of resources that may be asked for one by one. */
export const namedTypes = ["listener", "route", "cluster", "endpoint"] as const;
export type NamedType = (typeof namedTypes)[number];

export const encodedResource = object(
  "EncodedResource",
  { body: optional(text("The message in base64; absent where there is none of that name.")) },
  "An xDS resource as a sidecar of a workload is given it.",
);
export type EncodedResource = Infer<typeof encodedResource>;

const registeredWorkload = object("RegisteredWorkload", {
  id: text("`<name>.<namespace>`: unique in the mesh."),
  name: text(),
  workloadName: text(),
  namespace: text(),
  serviceAccount: text(),
  service: text('Served by registration; "" for a pure client.'),
  labels: table(text()),
  addresses: list(text()),
  ports: list(
    object(undefined, {
      port: integer(),
      protocol: choice(["http", "http2", "grpc", "tcp", "tls"]),
      name: text(),
      listenPort: integer("Where peers connect when interception is `NONE`."),
    }),
  ),
  interception,
  upstreams: list(
    object(undefined, { host: text(), port: integer(), bindAddress: text(), bindPort: integer() }),
  ),
  isHealthy: flag(),
  isGateway: optional(flag()),
  hasSidecar: flag(),
  group: optional(text()),
  namedPorts: optional(table(integer())),
  weight: optional(number()),
  locality: optional(object(undefined, { region: text(), zone: text(), subZone: text() })),
}) satisfies Schema<Workload>;

export const registrations = object(
  "Registrations",
  { trustDomain: text(), workloads: list(registeredWorkload) },
  "What a mesh is made of beside its resources: enough to make one that differs.",
);
export type Registrations = Infer<typeof registrations>;
