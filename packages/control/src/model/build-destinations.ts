import { isIP } from "node:net";
import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import type { Backend, ServiceDraft } from "./build-services.ts";
import { canonicalName } from "./canonical-name.ts";
import { coversHost, resolveHost } from "./host.ts";
import type { Endpoint, MeshOptions, MeshWorkload, Service } from "./mesh.ts";
import { provenanceOf } from "./provenance.ts";
import { type ResourcesByKind, sortedUnique } from "./sorting.ts";
import { buildTrafficPolicy, withAffinity } from "./traffic-policy.ts";

interface Input {
  readonly resources: ResourcesByKind;
  readonly drafts: ReadonlyMap<string, ServiceDraft>;
  readonly workloads: ReadonlyMap<string, MeshWorkload>;
  readonly options: MeshOptions;
}

/** Services completed by their DestinationRule, and the endpoints behind them. */
export function buildDestinations(
  input: Input,
  diagnostics: Diagnostics,
): { services: Map<string, Service>; endpoints: Map<string, readonly Endpoint[]> } {
  const services = new Map<string, Service>();
  const endpoints = new Map<string, readonly Endpoint[]>();
  const ruleOf = destinationRules(input, diagnostics);
  for (const [hostname, draft] of input.drafts) {
    const rule = ruleOf(draft);
    const policy = buildTrafficPolicy(rule?.spec.trafficPolicy);
    const own = endpointsOf(draft, input.workloads);
    services.set(hostname, {
      ...draft.service,
      isMutualTls: draft.service.isHeadless && own.every((e) => e.ports.every((p) => p.isMutualTls)),
      identities: identitiesOf(draft, input),
      policy: draft.hasAffinity ? withAffinity(policy) : policy,
      subsets: (rule?.spec.subsets ?? [])
        .map((subset, i) => ({
          name: subset.name,
          labels: subset.labels ?? {},
          policy: buildTrafficPolicy(subset.trafficPolicy),
          source: provenanceOf(rule!, `spec.subsets[${i}].name`),
        }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
      destinationRule: rule && provenanceOf(rule),
    });
    endpoints.set(hostname, own);
  }
  return { services, endpoints };
}

type Rule = ResourceOf<"DestinationRule">;

/**
 * One rule per service: of the service's own namespace first, then of the root
 * namespace, then of another; the most specific host first.
 */
function destinationRules(input: Input, diagnostics: Diagnostics): (draft: ServiceDraft) => Rule | undefined {
  const { options } = input;
  const rules = input.resources.DestinationRule.map((rule) => ({
    rule,
    host: resolveHost(rule.spec.host, rule.namespace, options),
  }));
  const byHost = new Map<string, Rule>();
  for (const { rule, host } of rules) {
    const key = `${rule.namespace}/${host}`;
    const first = byHost.get(key);
    if (!first) byHost.set(key, rule);
    else {
      const message = `two DestinationRules are for ${host}: "${first.name}" applies, this one does not`;
      diagnostics.error("W2107", rule.origins.at("spec.host"), message, "merge their subsets into one");
    }
  }
  const applied = rules.filter(({ rule, host }) => byHost.get(`${rule.namespace}/${host}`) === rule);
  const exact = Map.groupBy(
    applied.filter(({ host }) => !host.startsWith("*")),
    ({ host }) => host,
  );
  const wild = applied
    .filter(({ host }) => host.startsWith("*"))
    .sort((a, b) => b.host.length - a.host.length);
  return ({ service }) => {
    const candidates = [
      ...(exact.get(service.hostname) ?? []),
      ...wild.filter(({ host }) => coversHost(host, service.hostname)),
    ];
    const inNamespace = (namespace: string) => candidates.find(({ rule }) => rule.namespace === namespace);
    const best = inNamespace(service.namespace) ?? inNamespace(options.rootNamespace) ?? candidates[0];
    for (const { rule, host } of candidates) {
      if (rule === best?.rule || host.startsWith("*") || rule.namespace === options.rootNamespace) continue;
      const place = provenanceOf(best!.rule).origin;
      const message = `rules for callers of one namespace are not supported yet: for ${host} another rule applies`;
      diagnostics.error("W2112", rule.origins.at("spec.host"), message, `the one at ${place}: merge them`);
    }
    return best?.rule;
  };
}

function identitiesOf({ backends, written, entry }: ServiceDraft, input: Input): string[] {
  const ids = backends.map(({ workload }) => input.workloads.get(workload.id)!.identity);
  for (const { identity } of written) if (identity) ids.push(identity);
  return sortedUnique([...ids, ...(entry?.spec.subjectAltNames ?? [])]);
}

/** Where a service is served now, in an order that does not depend on how that came about. */
export function endpointsOf(
  { service, backends, written, entry }: ServiceDraft,
  workloads: ReadonlyMap<string, MeshWorkload>,
): Endpoint[] {
  const endpoints = backends.flatMap((backend) => workloadEndpoint(backend, workloads));
  // What registered tells more of itself, and whether it is well: it stands for what was written of its address.
  const registered = new Set(backends.flatMap(({ workload }) => workload.addresses));
  for (const { endpoint } of written) if (!registered.has(endpoint.address)) endpoints.push(endpoint);
  if (entry && endpoints.length === 0 && service.resolution.startsWith("dns")) {
    endpoints.push({
      address: service.hostname,
      workload: "",
      labels: {},
      weight: 0,
      ports: (entry.spec.ports ?? []).map((p) => ({
        servicePort: p.number,
        port: p.targetPort ?? p.number,
        isMutualTls: false,
      })),
    });
  }
  const key = (e: Endpoint) => `${isIP(e.address)} ${e.address} ${e.workload} ${e.ports[0]?.port}`;
  return endpoints.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** None while the workload is unhealthy or unreachable. */
function workloadEndpoint(
  { workload, ports }: Backend,
  workloads: ReadonlyMap<string, MeshWorkload>,
): Endpoint[] {
  const [address] = workload.addresses;
  if (!workload.isHealthy || address === undefined) return [];
  const inbound = new Map(workloads.get(workload.id)!.inbound.map((p) => [p.port, p]));
  const { labels } = workload;
  const canonical = canonicalName(labels, workload.workloadName);
  const endpointPorts = [...ports]
    .sort(([a], [b]) => a - b)
    .flatMap(([servicePort, target]) => {
      const own = inbound.get(target);
      if (!own) return [];
      const isMutualTls = workload.hasSidecar && own.mtlsMode !== "DISABLE";
      return { servicePort, port: own.listenPort, isMutualTls };
    });
  const name = `${workload.workloadName};${workload.namespace};${canonical};Kubernetes`;
  return [{ address, workload: name, labels, weight: 0, ports: endpointPorts }];
}
