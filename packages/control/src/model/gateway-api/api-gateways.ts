import { namespaceNameLabel } from "../../config/check-kubernetes-gateway.ts";
import type { ListenerSpec, NamespaceSelectorSpec } from "../../config/gateway-api-specs.ts";
import type { ResourceOf } from "../../config/resource.ts";
import type { Workload } from "../../registry/workload.ts";
import type { GatewayServer, ServerCertificate, ServerTls } from "../gateway.ts";
import { hostnameOf } from "../host.ts";
import type { WrittenServer } from "../merge-gateways.ts";
import type { MeshOptions } from "../mesh-options.ts";
import { gatewayLabel } from "../policy-target.ts";
import { provenanceOf } from "../provenance.ts";
import { isReferenceGranted } from "./reference-grants.ts";
import { type RouteKind, routeKinds } from "./route-kinds.ts";
import { controllerName } from "./route-status.ts";

export type ApiGateway = ResourceOf<"KubernetesGateway">;

/** A listener of a Gateway that is the mesh's to serve. */
export interface ApiListener {
  readonly gateway: ApiGateway;
  readonly index: number;
  readonly spec: ListenerSpec;
  readonly written: WrittenServer;
  /** The routes that it can carry and takes. */
  readonly kinds: readonly RouteKind[];
  /** Kinds it names and cannot carry. */
  readonly refusedKinds: readonly string[];
  /** A certificate that another namespace does not let it have. */
  readonly refusedCertificate: string | undefined;
  allows(namespace: string): boolean;
}

/** Istio's, whose Gateways are taken as they are, and ours. */
const controllers: ReadonlySet<string> = new Set([controllerName, "istio.io/gateway-controller"]);
/** Classes that are there without a GatewayClass, as Istio makes its own. */
const builtInClasses: ReadonlySet<string> = new Set(["istio", "weft"]);

export function isOwnClass({ spec }: ResourceOf<"GatewayClass">): boolean {
  return controllers.has(spec.controllerName);
}

/** The Gateways of classes that are the mesh's; those of others are someone else's. */
export function ownGateways(
  gateways: readonly ApiGateway[],
  classes: readonly ResourceOf<"GatewayClass">[],
): ApiGateway[] {
  const byName = new Map(classes.map((one) => [one.name, isOwnClass(one)]));
  return gateways.filter(
    ({ spec }) => byName.get(spec.gatewayClassName) ?? builtInClasses.has(spec.gatewayClassName),
  );
}

/** Whether a workload is a proxy of a Gateway: of its namespace by its name, or the service that its address names. */
export function isProxyOf(
  { name, namespace, spec }: ApiGateway,
  workload: Pick<Workload, "namespace" | "labels" | "service">,
  options: Pick<MeshOptions, "domainSuffix">,
): boolean {
  const hosts = (spec.addresses ?? []).filter(({ type }) => type === "Hostname").map(({ value }) => value);
  if (hosts.length > 0 && workload.service !== "") {
    return hosts.includes(hostnameOf(workload.service, workload.namespace, options));
  }
  return workload.namespace === namespace && workload.labels[gatewayLabel] === name;
}

export function apiListeners(
  gateway: ApiGateway,
  grants: readonly ResourceOf<"ReferenceGrant">[],
): ApiListener[] {
  return gateway.spec.listeners.map((spec, index) => {
    const { certificates, refused } = certificatesOf(spec, gateway, grants);
    const carried = carriedKinds(spec);
    const named = spec.allowedRoutes?.kinds ?? [];
    const isRoute = ({ group = apiGroup, kind }: (typeof named)[number]) =>
      group === apiGroup && (carried as readonly string[]).includes(kind);
    return {
      gateway,
      index,
      spec,
      written: {
        server: serverOf(spec, index, gateway, certificates),
        port: spec.port,
        bind: undefined,
        at: gateway.origins.at(`spec.listeners[${index}]`),
      },
      kinds:
        named.length === 0
          ? carried
          : carried.filter((kind) => named.some((one) => isRoute(one) && one.kind === kind)),
      refusedKinds: named.filter((one) => !isRoute(one)).map(({ kind }) => kind),
      refusedCertificate: refused,
      allows: (namespace) => allowsNamespace(spec, gateway.namespace, namespace),
    };
  });
}

const apiGroup = "gateway.networking.k8s.io";

function carriedKinds({ protocol, tls }: ListenerSpec): readonly RouteKind[] {
  switch (protocol) {
    case "TCP":
      return ["TCPRoute"];
    case "TLS":
      return tls?.mode === "Passthrough" ? ["TLSRoute"] : ["TCPRoute"];
    default:
      return routeKinds.filter((kind) => kind === "HTTPRoute" || kind === "GRPCRoute");
  }
}

const protocols: Readonly<Record<string, GatewayServer["protocol"]>> = {
  HTTP: "http",
  HTTPS: "https",
  TLS: "tls",
};

function serverOf(
  { name, protocol, hostname = "*", tls }: ListenerSpec,
  index: number,
  gateway: ApiGateway,
  certificates: readonly ServerCertificate[],
): GatewayServer {
  return {
    gateway: `${gateway.namespace}/${gateway.name}/${name}`,
    namespace: gateway.namespace,
    portName: name,
    protocol: protocols[protocol] ?? "tcp",
    hosts: [{ namespace: undefined, host: hostname.toLowerCase() }],
    redirectsToHttps: false,
    tls: tls && tls.mode !== "Passthrough" ? terminating(certificates) : undefined,
    source: provenanceOf(gateway, `spec.listeners[${index}]`),
  };
}

function terminating(certificates: readonly ServerCertificate[]): ServerTls {
  return {
    clients: "any",
    certificates,
    trust: undefined,
    names: [],
    hashes: [],
    spkis: [],
    minVersion: undefined,
    maxVersion: undefined,
    ciphers: [],
  };
}

/** A Secret of another namespace needs its leave; without, it is as if it were not there. */
function certificatesOf(
  { tls }: ListenerSpec,
  { namespace }: ApiGateway,
  grants: readonly ResourceOf<"ReferenceGrant">[],
): { readonly certificates: ServerCertificate[]; readonly refused: string | undefined } {
  let refused: string | undefined;
  const certificates = (tls?.certificateRefs ?? []).map(
    ({ group = "", kind = "Secret", name, namespace: of = namespace }) => {
      const from = { group: apiGroup, kind: "Gateway", namespace };
      const isSecret = group === "" && kind === "Secret";
      const isGranted = isReferenceGranted({ from, to: { group, kind, namespace: of, name } }, grants);
      if (!isSecret) refused ??= `${kind} ${name} is no Secret`;
      else if (!isGranted)
        refused ??= `no ReferenceGrant of ${of} lets Gateways of ${namespace} have Secret ${name}`;
      // No name that a Secret could have: its listener's connections are closed.
      if (!isSecret || !isGranted) return { secret: `${of}/${name} (not granted)` };
      return of === namespace ? { secret: name } : { secret: name, namespace: of };
    },
  );
  return { certificates, refused };
}

function allowsNamespace({ allowedRoutes }: ListenerSpec, own: string, other: string): boolean {
  const { from = "Same", selector } = allowedRoutes?.namespaces ?? {};
  if (from === "Same") return own === other;
  return from === "All" || selects(selector ?? {}, other);
}

function selects(
  { matchLabels = {}, matchExpressions = [] }: NamespaceSelectorSpec,
  namespace: string,
): boolean {
  const wanted = matchLabels[namespaceNameLabel];
  if (wanted !== undefined && wanted !== namespace) return false;
  return matchExpressions.every(({ values = [] }) => values.includes(namespace));
}
