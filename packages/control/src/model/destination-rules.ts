import type { Diagnostics } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { ResourceOf } from "../config/resource.ts";
import { coversHost, hasLabels, resolveHost } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { Provenance } from "./provenance.ts";
import { provenanceOf } from "./provenance.ts";
import type { Service, Subset } from "./service.ts";
import { buildTrafficPolicy, type TrafficPolicy, withAffinity, withBackendTls } from "./traffic-policy.ts";
import { contend, nearnessTo, type Visible, visibilityOf } from "./visibility.ts";

type Labels = Readonly<Record<string, string>>;

/** What one DestinationRule says about the services of a host. */
export interface HostRule extends Visible {
  /** A hostname, or a wildcard. */
  readonly host: string;
  readonly name: string;
  /** The callers of its own namespace, by their labels, for whom alone it is; undefined: all that see it. */
  readonly selects?: Labels;
  readonly policy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  readonly source: Provenance;
}

const made = new KeptFor<ResourceOf<"DestinationRule">, HostRule>();

/** The rules by `namespace/name`, without those that another of their namespace stands in the way of. */
export function buildRules(
  resources: readonly ResourceOf<"DestinationRule">[],
  options: MeshOptions,
  diagnostics: Diagnostics,
): Map<string, HostRule> {
  const rules = new Map<string, HostRule>();
  const byHost = new Map<string, HostRule[]>();
  for (const resource of resources) {
    const rule = made.get(resource, [options], () => hostRule(resource, options));
    const key = `${rule.namespace}/${rule.host}`;
    const rivals = byHost.get(key);
    const first = rivals?.find((rival) => isSameSelection(rival, rule) && contend(rival, rule));
    if (first) {
      const message = `two DestinationRules are for ${rule.host}: "${first.name}" applies, this one does not`;
      diagnostics.error("W2107", resource.origins.at("spec.host"), message, "merge their subsets into one");
      continue;
    }
    if (rivals) rivals.push(rule);
    else byHost.set(key, [rule]);
    rules.set(`${rule.namespace}/${rule.name}`, rule);
  }
  return rules;
}

function isSameSelection(a: HostRule, b: HostRule): boolean {
  if (!a.selects || !b.selects) return a.selects === b.selects;
  return Object.keys(a.selects).length === Object.keys(b.selects).length && hasLabels(a.selects, b.selects);
}

function hostRule(resource: ResourceOf<"DestinationRule">, options: MeshOptions): HostRule {
  const { spec, namespace, name } = resource;
  const visibleIn = visibilityOf(spec.exportTo, namespace);
  return {
    host: resolveHost(spec.host, namespace, options),
    namespace,
    name,
    ...(visibleIn ? { visibleIn } : {}),
    ...(spec.workloadSelector ? { selects: spec.workloadSelector.matchLabels ?? {} } : {}),
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

export function ruledPart(
  rule: HostRule | undefined,
  { hasAffinity, backendTls }: Pick<Service, "hasAffinity" | "backendTls">,
): RuledPart {
  const policy = hasAffinity ? withAffinity(rule?.policy) : rule?.policy;
  const subsets = rule?.subsets ?? [];
  return {
    policy: backendTls ? withBackendTls(policy, backendTls) : policy,
    subsets: backendTls
      ? subsets.map((own) => ({ ...own, policy: own.policy && withBackendTls(own.policy, backendTls) }))
      : subsets,
    destinationRule: rule?.source,
  };
}

type Called = Pick<Service, "hostname" | "namespace">;

/** Who calls: a namespace, and the labels of a workload where they are known. */
export interface RuleCaller {
  readonly namespace: string;
  readonly labels?: Labels;
}

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
      else {
        const exact = own.exact.get(rule.host);
        if (exact) exact.push(rule);
        else own.exact.set(rule.host, [rule]);
      }
    }
    for (const { wild } of this.#byNamespace.values()) wild.sort((a, b) => b.host.length - a.host.length);
  }

  /**
   * As Istio: of the caller's namespace, else of the service's, else of the root
   * namespace; there the most specific host, and for it a rule that selects the
   * caller before one for all. Rules of the root namespace are for everyone, so
   * that to callers there only those count as their own that nobody else sees.
   *
   * @param caller undefined: some namespace that no rule knows of
   */
  find(service: Called, caller: RuleCaller | undefined): HostRule | undefined {
    const own =
      caller === undefined
        ? undefined
        : this.#inNamespace(caller.namespace, service.hostname, caller, caller.namespace === this.#root);
    return (
      own ??
      this.#inNamespace(service.namespace, service.hostname, caller) ??
      this.#inNamespace(this.#root, service.hostname, caller)
    );
  }

  #inNamespace(
    namespace: string,
    hostname: string,
    caller: RuleCaller | undefined,
    isPrivate = false,
  ): HostRule | undefined {
    const rules = this.#byNamespace.get(namespace);
    if (!rules) return undefined;
    const isSeen = (rule: HostRule) =>
      isFor(rule, caller) && (!isPrivate || rule.visibleIn?.length === 1 || rule.selects !== undefined);
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

/** Of several that select the caller the first by name. */
function nearest(
  rules: readonly HostRule[] | undefined,
  caller: RuleCaller | undefined,
): HostRule | undefined {
  let best: HostRule | undefined;
  for (const rule of rules ?? []) {
    const own = nearness(rule, caller);
    if (own !== undefined && (!best || own < nearness(best, caller)!)) best = rule;
  }
  return best;
}

/** Whether a caller is among those that a rule selects, where it selects. */
function isFor({ selects, namespace }: HostRule, caller: RuleCaller | undefined): boolean {
  return !selects || (caller?.namespace === namespace && hasLabels(caller.labels ?? {}, selects));
}

/** The smaller the nearer; undefined: not seen. */
function nearness(rule: HostRule, caller: RuleCaller | undefined): number | undefined {
  if (!caller) return rule.visibleIn ? undefined : 0;
  const own = nearnessTo(caller.namespace, rule);
  return own === undefined || !rule.selects ? own : -1;
}

/** Whether which rule applies to some service depends on who calls it. */
export function dependOnCaller(
  rules: ReadonlyMap<string, HostRule>,
  services: ReadonlyMap<string, Called>,
  rootNamespace: string,
): boolean {
  for (const { host, namespace, visibleIn, selects } of rules.values()) {
    if (visibleIn || selects) return true;
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
