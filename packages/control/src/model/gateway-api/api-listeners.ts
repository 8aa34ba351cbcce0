import type { ListenerSpec } from "../../config/gateway-api-specs.ts";
import type { GatewayServer, ServerCertificate, ServerTls } from "../gateway.ts";
import type { WrittenServer } from "../merge-gateways.ts";
import { provenanceOf } from "../provenance.ts";
import type { ApiGateway } from "./api-gateways.ts";
import { type ClientValidation, clientValidation } from "./client-validation.ts";
import { apiGroup, type GatewayLookup } from "./gateway-lookup.ts";
import type { ListenerConflict } from "./listener-conflicts.ts";
import type { ListenerSet } from "./listener-sets.ts";
import { type RouteKind, routeKinds } from "./route-kinds.ts";
import type { RefFault } from "./trust-refs.ts";

/** A listener of a Gateway that is the mesh's to serve, or of a ListenerSet attached to one. */
export interface ApiListener {
  readonly gateway: ApiGateway;
  /** Who has written it. */
  readonly owner: ApiGateway | ListenerSet;
  readonly spec: ListenerSpec;
  readonly written: WrittenServer;
  /** The routes that it can carry and takes. */
  readonly kinds: readonly RouteKind[];
  /** Kinds it names and cannot carry. */
  readonly refusedKinds: readonly string[];
  /** Certificates that it refers to and cannot have, each with its place in the owner. */
  readonly certificateFaults: readonly RefFault[];
  /** What verifies its clients and is not there, each with its place in the Gateway. */
  readonly trustFaults: readonly RefFault[];
  /** None of what would verify its clients is there: it lets nobody in. */
  readonly isUnverifiable: boolean;
  /** It is not served. */
  readonly conflict: ListenerConflict | undefined;
  allows(namespace: string): boolean;
}

export function apiListener(
  gateway: ApiGateway,
  owner: ApiGateway | ListenerSet,
  index: number,
  conflict: ListenerConflict | undefined,
  lookup: GatewayLookup,
): ApiListener {
  const spec = owner.spec.listeners[index]!;
  const { certificates, faults } = certificatesOf(spec, index, owner, lookup);
  const validation = spec.protocol === "HTTPS" ? clientValidation(gateway, spec.port, lookup) : undefined;
  const carried = carriedKinds(spec);
  const named = spec.allowedRoutes?.kinds ?? [];
  const isRoute = ({ group = apiGroup, kind }: (typeof named)[number]) =>
    group === apiGroup && (carried as readonly string[]).includes(kind);
  return {
    gateway,
    owner,
    spec,
    written: {
      server: serverOf(spec, index, owner, certificates, validation),
      port: spec.port,
      bind: undefined,
      at: owner.origins.at(`spec.listeners[${index}]`),
    },
    kinds:
      named.length === 0
        ? carried
        : carried.filter((kind) => named.some((one) => isRoute(one) && one.kind === kind)),
    refusedKinds: named.filter((one) => !isRoute(one)).map(({ kind }) => kind),
    certificateFaults: faults,
    trustFaults: validation?.faults ?? [],
    isUnverifiable: validation?.trust.roots === "",
    conflict,
    allows: (namespace) => allowsNamespace(spec, owner.namespace, namespace, lookup),
  };
}

/** As routes and translation name it: apart from a Gateway's, a set's own, whatever their names. */
function serverKey({ kind, namespace, name }: ApiGateway | ListenerSet, listener: string): string {
  return `${namespace}/${kind === "ListenerSet" ? `listenerset:${name}` : name}/${listener}`;
}

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
  owner: ApiGateway | ListenerSet,
  certificates: readonly ServerCertificate[],
  validation: ClientValidation | undefined,
): GatewayServer {
  return {
    gateway: serverKey(owner, name),
    namespace: owner.namespace,
    portName: name,
    protocol: protocols[protocol] ?? "tcp",
    hosts: [{ namespace: undefined, host: hostname.toLowerCase() }],
    ...(protocol === "HTTP" ? { keepsHosts: true } : {}),
    redirectsToHttps: false,
    tls: tls && tls.mode !== "Passthrough" ? terminating(certificates, validation) : undefined,
    source: provenanceOf(owner, `spec.listeners[${index}]`),
  };
}

function terminating(
  certificates: readonly ServerCertificate[],
  validation: ClientValidation | undefined,
): ServerTls {
  return {
    clients: validation?.clients ?? "any",
    ...(validation?.acceptsUntrusted ? { acceptsUntrusted: true } : {}),
    certificates,
    trust: validation?.trust,
    names: [],
    hashes: [],
    spkis: [],
    minVersion: undefined,
    maxVersion: undefined,
    ciphers: [],
  };
}

/** Without its Secret, or the leave to have it, a listener's connections are closed. */
function certificatesOf(
  { tls }: ListenerSpec,
  index: number,
  owner: ApiGateway | ListenerSet,
  lookup: GatewayLookup,
): { readonly certificates: ServerCertificate[]; readonly faults: RefFault[] } {
  const faults: RefFault[] = [];
  const kind = owner.kind === "ListenerSet" ? "ListenerSet" : "Gateway";
  const { namespace } = owner;
  const refs = tls?.mode === "Passthrough" ? [] : (tls?.certificateRefs ?? []);
  const certificates = refs.map((ref, i): ServerCertificate => {
    const { certificate, fault } = lookup.certificate(ref, { kind, namespace }, "InvalidCertificateRef");
    if (fault) faults.push({ ...fault, path: `spec.listeners[${index}].tls.certificateRefs[${i}]` });
    return certificate;
  });
  return { certificates, faults };
}

function allowsNamespace(
  { allowedRoutes }: ListenerSpec,
  own: string,
  other: string,
  { namespaces }: GatewayLookup,
): boolean {
  const { from = "Same", selector } = allowedRoutes?.namespaces ?? {};
  if (from === "Same") return own === other;
  return from === "All" || namespaces.selects(selector, other);
}
