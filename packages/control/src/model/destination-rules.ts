import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import { coversHost, resolveHost } from "./host.ts";
import type { MeshOptions, Provenance, Service, Subset } from "./mesh.ts";
import { provenanceOf } from "./provenance.ts";
import { buildTrafficPolicy, type TrafficPolicy, withAffinity } from "./traffic-policy.ts";
import { contend, nearnessTo, type Visible, visibilityOf } from "./visibility.ts";

/** What one DestinationRule says about the services of a host. */
export interface HostRule extends Visible {
  /** A hostname, or a wildcard. */
  readonly host: string;
  readonly name: string;
  readonly policy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  readonly source: Provenance;
}

/** The rules by `namespace/name`, without those that another of their namespace stands in the way of. */
export function buildRules(
  resources: readonly ResourceOf<"DestinationRule">[],
  options: MeshOptions,
  diagnostics: Diagnostics,
): Map<string, HostRule> {
  const rules = new Map<string, HostRule>();
  const byHost = new Map<string, HostRule[]>();
  for (const resource of resources) {
    const rule = hostRule(resource, options);
    const key = `${rule.namespace}/${rule.host}`;
    const rivals = byHost.get(key) ?? [];
    const first = rivals.find((rival) => contend(rival, rule));
    if (first) {
      const message = `two DestinationRules are for ${rule.host}: "${first.name}" applies, this one does not`;
      diagnostics.error("W2107", resource.origins.at("spec.host"), message, "merge their subsets into one");
      continue;
    }
    byHost.set(key, [...rivals, rule]);
    rules.set(`${rule.namespace}/${rule.name}`, rule);
  }
  return rules;
}

function hostRule(resource: ResourceOf<"DestinationRule">, options: MeshOptions): HostRule {
  const { spec, namespace, name } = resource;
  const visibleIn = visibilityOf(spec.exportTo, namespace);
  return {
    host: resolveHost(spec.host, namespace, options),
    namespace,
    name,
    ...(visibleIn ? { visibleIn } : {}),
    policy: buildTrafficPolicy(spec.trafficPolicy),
    subsets: (spec.subsets ?? [])
      .map((subset, i) => ({
        name: subset.name,
        labels: subset.labels ?? {},
        policy: buildTrafficPolicy(subset.trafficPolicy),
        source: provenanceOf(resource, `spec.subsets[${i}].name`),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    source: provenanceOf(resource),
  };
}

/** The part of a service that its rule decides. */
export type RuledPart = Pick<Service, "policy" | "subsets" | "destinationRule">;

export function ruledPart(rule: HostRule | undefined, hasAffinity: boolean | undefined): RuledPart {
  return {
    policy: hasAffinity ? withAffinity(rule?.policy) : rule?.policy,
    subsets: rule?.subsets ?? [],
    destinationRule: rule?.source,
  };
}

type Called = Pick<Service, "hostname" | "namespace">;

interface NamespaceRules {
  readonly exact: Map<string, HostRule[]>;
  /** The longest host first. */
  readonly wild: HostRule[];
}

/** Finds the rule of a service for who calls it. */
export class RuleIndex {
  readonly #byNamespace = new Map<string, NamespaceRules>();
  readonly #root: string;

  constructor(rules: Iterable<HostRule>, rootNamespace: string) {
    this.#root = rootNamespace;
    for (const rule of rules) {
      const own: NamespaceRules = this.#byNamespace.get(rule.namespace) ?? { exact: new Map(), wild: [] };
      this.#byNamespace.set(rule.namespace, own);
      if (rule.host.startsWith("*")) own.wild.push(rule);
      else own.exact.set(rule.host, [...(own.exact.get(rule.host) ?? []), rule]);
    }
    for (const { wild } of this.#byNamespace.values()) wild.sort((a, b) => b.host.length - a.host.length);
  }

  /**
   * As Istio: of the caller's namespace, else of the service's, else of the root
   * namespace; there the most specific host. Rules of the root namespace are for
   * everyone, so that to callers there only those count as their own that nobody
   * else sees.
   *
   * @param caller undefined: some namespace that no rule knows of
   */
  find(service: Called, caller: string | undefined): HostRule | undefined {
    const own =
      caller === undefined
        ? undefined
        : this.#inNamespace(caller, service.hostname, caller, caller === this.#root);
    return (
      own ??
      this.#inNamespace(service.namespace, service.hostname, caller) ??
      this.#inNamespace(this.#root, service.hostname, caller)
    );
  }

  #inNamespace(
    namespace: string,
    hostname: string,
    caller: string | undefined,
    isPrivate = false,
  ): HostRule | undefined {
    const rules = this.#byNamespace.get(namespace);
    if (!rules) return undefined;
    const isSeen = (rule: HostRule) => !isPrivate || rule.visibleIn?.length === 1;
    const exact = nearest(rules.exact.get(hostname)?.filter(isSeen), caller);
    if (exact) return exact;
    const wild = rules.wild.filter((rule) => coversHost(rule.host, hostname) && isSeen(rule));
    const seen = wild.find((rule) => nearness(rule, caller) !== undefined);
    return (
      seen &&
      nearest(
        wild.filter(({ host }) => host === seen.host),
        caller,
      )
    );
  }
}

function nearest(rules: readonly HostRule[] | undefined, caller: string | undefined): HostRule | undefined {
  let best: HostRule | undefined;
  for (const rule of rules ?? []) {
    const own = nearness(rule, caller);
    if (own !== undefined && (!best || own < nearness(best, caller)!)) best = rule;
  }
  return best;
}

function nearness(rule: HostRule, caller: string | undefined): number | undefined {
  if (caller !== undefined) return nearnessTo(caller, rule);
  return rule.visibleIn ? undefined : 0;
}

/** Whether which rule applies to some service depends on who calls it. */
export function dependOnCaller(
  rules: ReadonlyMap<string, HostRule>,
  services: ReadonlyMap<string, Called>,
  rootNamespace: string,
): boolean {
  for (const { host, namespace, visibleIn } of rules.values()) {
    if (visibleIn) return true;
    if (namespace === rootNamespace) continue;
    if (!host.startsWith("*")) {
      const service = services.get(host);
      if (service && service.namespace !== namespace) return true;
      continue;
    }
    for (const service of services.values()) {
      if (service.namespace !== namespace && coversHost(host, service.hostname)) return true;
    }
  }
  return false;
}
