import { type HostRule, type RuleCaller, RuleIndex, ruledPart } from "./destination-rules.ts";
import { type Egress, importedBy } from "./egress.ts";
import type { Endpoint } from "./endpoint.ts";
import { coversHost, hasLabels } from "./host.ts";
import type { Mesh, MeshWorkload } from "./mesh.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { OutboundPolicy } from "./scope.ts";
import type { Service } from "./service.ts";
import { nearnessTo, type Visible } from "./visibility.ts";

/** A mesh as some proxies get to see it. */
export interface SeenMesh extends Mesh {
  /** Undefined: they may call all of it, by any listener. */
  readonly egress?: Egress;
}

/** A workload as far as what it sees depends on it; without labels it is one that no rule selects. */
export type Viewer = Pick<MeshWorkload, "namespace" | "scope"> & RuleCaller;

/**
 * The mesh as a workload's proxies get to see it: services and routing by their
 * hosts, of several for one host the nearest, within what its Sidecar lets it
 * call; services with the DestinationRule that is for these callers. The mesh
 * itself where everyone sees all of it and the same.
 */
export function viewOf(mesh: Mesh, workload: Viewer): SeenMesh {
  const { namespace } = workload;
  const scope = workload.scope === undefined ? undefined : mesh.scopes.get(workload.scope);
  const options = scope?.outbound ? withOutbound(mesh.options, scope.outbound) : mesh.options;
  if (scope && scope.egress.length > 0) {
    const { seen, ...imported } = importedBy(scope, mesh, namespace, (all) => ruled(all, mesh, workload));
    return { ...mesh, ...imported, options, endpoints: endpointsOf(seen, mesh) };
  }
  const seen = visible(mesh.services, ({ hostname }) => hostname, namespace);
  const services = ruled(seen, mesh, workload);
  const routing = visible(mesh.routing, ({ host }) => host, namespace);
  if (services === mesh.services && routing === mesh.routing && options === mesh.options) return mesh;
  return { ...mesh, services, routing, options, endpoints: endpointsOf(seen, mesh) };
}

const optionsByPolicy = new WeakMap<MeshOptions, Map<string, MeshOptions>>();

/** The very same object for equal policies, so that what is made of it can be kept. */
function withOutbound(options: MeshOptions, { mode, egressProxy }: OutboundPolicy): MeshOptions {
  const made = optionsByPolicy.get(options) ?? new Map<string, MeshOptions>();
  optionsByPolicy.set(options, made);
  const key = JSON.stringify([mode, egressProxy]);
  let own = made.get(key);
  if (!own) {
    own = { ...options, defaults: { ...options.defaults, outboundTrafficPolicy: mode, egressProxy } };
    made.set(key, own);
  }
  return own;
}

const restricted = new WeakMap<object, boolean>();

function isRestricted(all: ReadonlyMap<string, Visible>): boolean {
  let answer = restricted.get(all);
  if (answer === undefined) {
    answer = [...all.values()].some(({ visibleIn }) => visibleIn);
    restricted.set(all, answer);
  }
  return answer;
}

/** By host; the map itself where that has all of them. */
function visible<T extends Visible>(
  all: ReadonlyMap<string, T>,
  hostOf: (one: T) => string,
  namespace: string,
): ReadonlyMap<string, T> {
  if (!isRestricted(all)) return all;
  const seen = new Map<string, T>();
  let isSame = true;
  for (const [key, one] of all) {
    const host = hostOf(one);
    const nearness = nearnessTo(namespace, one);
    const other = seen.get(host);
    if (nearness !== undefined && (!other || nearness < nearnessTo(namespace, other)!)) seen.set(host, one);
    isSame &&= key === host && seen.get(host) === one;
  }
  return isSame ? all : seen;
}

const indexes = new WeakMap<Mesh["rules"], RuleIndex>();

function indexOf({ rules, options }: Mesh): RuleIndex {
  let index = indexes.get(rules);
  if (!index) {
    index = new RuleIndex(rules.values(), options.rootNamespace);
    indexes.set(rules, index);
  }
  return index;
}

/** With the rules that are for callers of this namespace alone, or not for them. */
function ruled(seen: Mesh["services"], mesh: Mesh, caller: RuleCaller): Mesh["services"] {
  const { namespace } = caller;
  const about = [...mesh.rules.values()].filter(
    (rule) => rule.namespace === namespace || rule.visibleIn?.includes(namespace),
  );
  if (about.length === 0) return seen;
  const index = indexOf(mesh);
  const hosts = new Set(about.map(({ host }) => host));
  const wild = [...hosts].filter((host) => host.startsWith("*"));
  let services: Map<string, Service> | undefined;
  for (const [hostname, service] of seen) {
    if (!hosts.has(hostname) && !wild.some((host) => coversHost(host, hostname))) continue;
    const rule = index.find(service, caller);
    if (rule === index.find(service, undefined)) continue;
    services ??= new Map(seen);
    services.set(hostname, withRule(service, rule));
  }
  return services ?? seen;
}

const selective = new WeakMap<Mesh["rules"], readonly HostRule[]>();

/** Equal for workloads of one namespace and scope that see the same: the rules that select them. */
export function selectionOf({ rules }: Pick<Mesh, "rules">, { namespace, labels = {} }: RuleCaller): string {
  let own = selective.get(rules);
  if (!own) {
    own = [...rules.values()].filter(({ selects }) => selects !== undefined);
    selective.set(rules, own);
  }
  return own
    .filter((rule) => rule.namespace === namespace && hasLabels(labels, rule.selects))
    .map(({ name }) => name)
    .join(" ");
}

const withoutRule = {};
const byRule = new WeakMap<Service, WeakMap<object, Service>>();

/** The very same object for the same service and rule, so that what is made of it can be kept. */
function withRule(service: Service, rule: HostRule | undefined): Service {
  const made = byRule.get(service) ?? new WeakMap<object, Service>();
  byRule.set(service, made);
  let own = made.get(rule ?? withoutRule);
  if (!own) {
    own = { ...service, ...ruledPart(rule, service) };
    made.set(rule ?? withoutRule, own);
  }
  return own;
}

/** By hostname, where one that is seen has another key in the mesh. */
function endpointsOf(seen: Mesh["services"], { services, endpoints }: Mesh): Mesh["endpoints"] {
  if (seen === services) return endpoints;
  const moved = new Map([...seen].filter(([host, service]) => services.get(host) !== service));
  if (moved.size === 0) return endpoints;
  const byHost = new Map<string, readonly Endpoint[]>();
  for (const [key, service] of services) {
    if (moved.get(service.hostname) === service) byHost.set(service.hostname, endpoints.get(key)!);
  }
  return endpoints.with(byHost);
}
