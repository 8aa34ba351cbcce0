import { isIPv4, isIPv6 } from "node:net";
import type { ResourceOf } from "../config/resource.ts";
import type { IngressListenerSpec } from "../config/service-specs.ts";
import { type DefaultEndpointHost, parseDefaultEndpoint } from "../config/values.ts";
import type { Workload } from "../registry/workload.ts";
import type { RuleIndex } from "./destination-rules.ts";
import { serverTls } from "./gateway-server.ts";
import type { InboundEndpoint, InboundPort } from "./mesh.ts";
import type { WorkloadModes } from "./mtls-resolution.ts";
import { namedProtocol } from "./protocol.ts";
import { provenanceOf } from "./provenance.ts";
import type { ServiceDraft } from "./service-draft.ts";
import { buildConnectionPool, policyFor } from "./traffic-policy.ts";

/** A service that a workload serves: service port to the workload's own port. */
export interface Served {
  readonly draft: ServiceDraft;
  readonly ports: ReadonlyMap<number, number>;
}

/**
 * Where calls of a workload arrive: at the ports it registered and those that
 * services select on it, or at those of its Sidecar's ingress, where that names
 * any. Whether the application is spoken to as clients speak is for its Sidecar
 * to say where that has a pool, else for the DestinationRule of its service, as in Istio.
 */
export function inboundPorts(
  workload: Workload,
  served: readonly Served[],
  modes: WorkloadModes,
  sidecar: ResourceOf<"Sidecar"> | undefined,
  rules: RuleIndex,
): InboundPort[] {
  const { ingress = [], inboundConnectionPool } = sidecar?.spec ?? {};
  const declared = declaredPorts(workload, served, modes, rules);
  const pool = inboundConnectionPool && buildConnectionPool(inboundConnectionPool);
  const ports =
    ingress.length === 0
      ? [...declared.values()]
      : ingress.map((listener) => ingressPort(sidecar!, listener, workload, declared, modes));
  return ports.map((port) => withPool(port, port.pool ?? pool)).sort((a, b) => a.port - b.port);
}

/** What a Sidecar says of connections stands for all that a DestinationRule does. */
function withPool(port: InboundPort, pool: InboundPort["pool"]): InboundPort {
  if (!pool) return port;
  const { followsClients: _, ...own } = port;
  return { ...own, pool, ...(pool.http2Upgrade === "as-client" ? { followsClients: true } : {}) };
}

function declaredPorts(
  workload: Workload,
  served: readonly Served[],
  modes: WorkloadModes,
  rules: RuleIndex,
): Map<number, InboundPort> {
  const ports = new Map<number, InboundPort>();
  const own = new Map(workload.ports.map((p) => [p.port, p]));
  const add = (
    port: number,
    protocol: InboundPort["protocol"],
    service: InboundPort["service"],
    followsClients = false,
  ) => {
    const known = ports.get(port);
    if (known?.service || (known && !service)) return;
    const registered = own.get(port);
    const listenPort = workload.interception === "NONE" ? registered?.listenPort : port;
    if (listenPort === undefined) return;
    const mtlsMode = modes.ports.get(port) ?? modes.mode;
    ports.set(port, {
      port,
      listenPort,
      protocol: registered?.protocol ?? protocol,
      mtlsMode,
      ...(followsClients ? { followsClients } : {}),
      service,
    });
  };
  for (const { draft, ports: targets } of served) {
    const { hostname, name, namespace } = draft.service;
    const policy = rules.find(draft.service, { namespace: workload.namespace })?.policy;
    for (const { number, protocol } of draft.service.ports) {
      const target = targets.get(number);
      if (target === undefined) continue;
      const { connectionPool } = policyFor(number, policy);
      const followsClients = connectionPool?.http2Upgrade === "as-client";
      add(target, protocol, { hostname, name, namespace }, followsClients);
    }
  }
  for (const { port, protocol } of workload.ports) add(port, protocol, undefined);
  return ports;
}

function ingressPort(
  sidecar: ResourceOf<"Sidecar">,
  { port, bind, captureMode, defaultEndpoint, connectionPool, tls }: IngressListenerSpec,
  workload: Workload,
  declared: ReadonlyMap<number, InboundPort>,
  modes: WorkloadModes,
): InboundPort {
  const number = port.number!;
  const known = declared.get(number);
  const hasOwnListener = captureMode === "NONE" || workload.interception === "NONE";
  const address = bind || (captureMode === "NONE" ? "0.0.0.0" : undefined);
  const server = tls && serverTls(tls);
  return {
    port: number,
    listenPort: known?.listenPort ?? number,
    protocol: server ? withinTls(port.protocol) : namedProtocol(port.protocol),
    mtlsMode: modes.ports.get(number) ?? modes.mode,
    ...(defaultEndpoint ? { endpoint: endpointOf(defaultEndpoint, workload) } : {}),
    ...(hasOwnListener && address ? { bind: address } : {}),
    ...(connectionPool ? { pool: buildConnectionPool(connectionPool) } : {}),
    ...(known?.followsClients ? { followsClients: true } : {}),
    ...(server ? { ownTls: { server, source: provenanceOf(sidecar) } } : {}),
    service: known?.service,
  };
}

/** What the application is spoken to in where the sidecar ends TLS. */
function withinTls(protocol: string | undefined): InboundPort["protocol"] {
  return protocol?.toUpperCase() === "HTTPS" ? "http" : "tcp";
}

function endpointOf(text: string, { addresses }: Workload): InboundEndpoint {
  const place = parseDefaultEndpoint(text)!;
  if (place.kind === "pipe") return { path: place.path };
  return { address: addressOf(place.address, addresses), port: place.port };
}

/** Its own address of the family that is asked for, where it has one of that. */
function addressOf(host: DefaultEndpointHost, addresses: readonly string[]): string {
  if (!host.startsWith("self")) return host;
  const isWanted = host === "self over IPv6" ? isIPv6 : isIPv4;
  return addresses.find(isWanted) ?? addresses[0] ?? "127.0.0.1";
}
