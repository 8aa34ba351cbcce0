import { isIP } from "node:net";
import { KeptFor } from "@weft/base/kept-for";
import { isDnsLabel } from "../config/values.ts";
import { canonicalName } from "./canonical-name.ts";
import { dependOnCaller, type HostRule, type RuleIndex, ruledPart } from "./destination-rules.ts";
import type { Endpoint } from "./endpoint.ts";
import type { MeshWorkload } from "./mesh.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { Service } from "./service.ts";
import type { Backend, ServiceDraft } from "./service-draft.ts";
import { sortedUnique } from "./sorting.ts";
import { ownNameOf } from "./written-endpoint.ts";

type Workloads = ReadonlyMap<string, MeshWorkload>;

interface Input {
  readonly drafts: ReadonlyMap<string, ServiceDraft>;
  readonly workloads: Workloads;
  readonly hostRules: ReadonlyMap<string, HostRule>;
  readonly ruleIndex: RuleIndex;
  readonly options: MeshOptions;
}

/** Where a service is served, and what of it that decides. */
interface Placed {
  readonly endpoints: readonly Endpoint[];
  readonly served: Pick<Service, "isMutualTls" | "identities" | "followsClients">;
}

const placed = new KeptFor<ServiceDraft, Placed>();
const completed = new KeptFor<ServiceDraft, Service>();

/**
 * Services completed by their DestinationRule, the endpoints behind them, and the
 * rules that are for some callers. In the order of the drafts; the very same
 * where they are made from the same.
 */
export function buildDestinations({ drafts, workloads, hostRules, ruleIndex, options }: Input): {
  services: Map<string, Service>;
  endpoints: Map<string, readonly Endpoint[]>;
  rules: ReadonlyMap<string, HostRule>;
} {
  const services = new Map<string, Service>();
  const endpoints = new Map<string, readonly Endpoint[]>();
  for (const [key, draft] of drafts) {
    const { endpoints: own, served } = placeOf(draft, workloads);
    const rule = ruleIndex.find(draft.service, undefined);
    const complete = () => ({ ...draft.service, ...served, ...ruledPart(rule, draft.service) });
    services.set(key, completed.get(draft, [served, rule], complete));
    endpoints.set(key, own);
  }
  const isByCaller = dependOnCaller(hostRules, services, options.rootNamespace);
  return { services, endpoints, rules: isByCaller ? hostRules : noRules };
}

const noRules: ReadonlyMap<string, HostRule> = new Map();

function placeOf(draft: ServiceDraft, workloads: Workloads): Placed {
  const from = draft.backends.map(({ workload }) => workloads.get(workload.id));
  return placed.get(draft, from, () => {
    const endpoints = endpointsOf(draft, workloads);
    const isMutualTls =
      draft.service.isHeadless && endpoints.every((e) => e.ports.every((p) => p.isMutualTls));
    const followed = followedPorts(draft, workloads);
    const served = {
      isMutualTls,
      identities: identitiesOf(draft, workloads),
      ...(followed.length > 0 ? { followsClients: followed } : {}),
    };
    return { endpoints, served };
  });
}

/**
 * The ports of HTTP/1.1 behind which an application is spoken to as its clients
 * speak: callers must not make HTTP/2 of their requests on the way there.
 */
export function followedPorts({ service, backends }: ServiceDraft, workloads: Workloads): number[] {
  const isFollowed = (number: number) =>
    backends.some(({ workload, ports }) =>
      workloads.get(workload.id)!.inbound.some((own) => own.followsClients && own.port === ports.get(number)),
    );
  return service.ports
    .filter(({ number, protocol }) => protocol === "http" && isFollowed(number))
    .map(({ number }) => number)
    .sort((a, b) => a - b);
}

/** Whom its callers may meet. */
export function identitiesOf({ backends, written, entry }: ServiceDraft, workloads: Workloads): string[] {
  const ids = backends.map(({ workload }) => workloads.get(workload.id)!.identity);
  for (const { identity } of written) if (identity) ids.push(identity);
  return sortedUnique([...ids, ...(entry?.spec.subjectAltNames ?? [])]);
}

/** Where a service is served now, in an order that does not depend on how that came about. */
export function endpointsOf(
  { service, backends, written, entry }: ServiceDraft,
  workloads: Workloads,
): Endpoint[] {
  const endpoints = backends.flatMap((backend) => workloadEndpoint(backend, service, workloads));
  // What registered tells more of itself, and whether it is well: it stands for what was written of its address.
  const registered = new Set(backends.flatMap(({ workload }) => workload.addresses));
  const others = written.filter(({ endpoint }) => !registered.has(endpoint.address));
  const lasting = others.filter(({ isEnding }) => !isEnding);
  endpoints.push(...lasting.map(({ endpoint }) => endpoint));
  if (endpoints.length === 0) endpoints.push(...others.map(({ endpoint }) => endpoint));
  if (entry && endpoints.length === 0 && service.resolution.startsWith("dns")) {
    endpoints.push(ownNameOf(service.hostname, entry).endpoint);
  }
  const key = (e: Endpoint) => `${isIP(e.address)} ${e.address} ${e.workload} ${e.ports[0]?.port}`;
  return endpoints.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** A port that its Sidecar's ingress leaves out takes captured connections as they are. */
function uncovered(port: number, { interception, mtlsMode }: MeshWorkload) {
  return interception === "NONE" ? undefined : { listenPort: port, mtlsMode };
}

/** None while the workload is unreachable, or unhealthy where that counts. */
function workloadEndpoint(
  { workload, ports }: Backend,
  { isHeadless, takesUnready }: ServiceDraft["service"],
  workloads: Workloads,
): Endpoint[] {
  const [address, ...others] = workload.addresses;
  if ((!workload.isHealthy && !takesUnready) || address === undefined) return [];
  const inbound = new Map(workloads.get(workload.id)!.inbound.map((p) => [p.port, p]));
  const { labels } = workload;
  const canonical = canonicalName(labels, workload.workloadName);
  const endpointPorts = [...ports]
    .sort(([a], [b]) => a - b)
    .flatMap(([servicePort, target]) => {
      const own = inbound.get(target) ?? uncovered(target, workloads.get(workload.id)!);
      if (!own) return [];
      const isMutualTls = workload.hasSidecar && own.mtlsMode !== "DISABLE";
      return { servicePort, port: own.listenPort, isMutualTls };
    });
  const name = `${workload.workloadName};${workload.namespace};${canonical};Kubernetes`;
  const { weight = 0 } = workload;
  const { locality } = workloads.get(workload.id)!;
  // Callers choose an instance of a headless service, and so have a name for each.
  const hasName = isHeadless && isDnsLabel(workload.name);
  return [
    {
      address,
      ...(others.length > 0 ? { otherAddresses: others } : {}),
      workload: name,
      labels,
      weight,
      ...(locality ? { locality } : {}),
      ports: endpointPorts,
      ...(hasName ? { hostname: workload.name } : {}),
    },
  ];
}
